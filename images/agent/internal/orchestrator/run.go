// Package orchestrator sends the cluster's objects with their state: what Datadog shows as its orchestrator explorer.
package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/DataDog/agent-payload/v5/process"
	corev1 "k8s.io/api/core/v1"

	"agentstandin/internal/cluster"
	"agentstandin/internal/deliver"
	"agentstandin/internal/rounds"
	"agentstandin/internal/settings"
	"agentstandin/internal/wire"
)

const (
	path     = "/api/v2/orch"
	pause    = 10 * time.Second
	again    = time.Minute // an object that does not change is sent again: who begins to look later sees it too
	together = 100         // objects in one message
)

// Permitted says whether the service account may list workloads. Where cluster checks runners are, the operator gives
// that right to them and not to the cluster agent.
func Permitted(ctx context.Context, api *cluster.Client) bool {
	var found struct{}
	var refused *cluster.Refused
	err := api.Get(ctx, "/apis/apps/v1/deployments?limit=1", &found)
	return !errors.As(err, &refused) || refused.Status != 403
}

// Run sends new and changed objects every ten seconds until ctx ends. alive is called after each round.
func Run(ctx context.Context, s settings.Settings, api *cluster.Client, out *deliver.Client, log *slog.Logger, alive func()) error {
	box := wire.Open(s.OrchestratorURL, out, log)
	defer box.Close()
	c := &collector{settings: s, api: api, log: log, sent: map[string]seen{}, troubles: map[string]string{}}
	rounds.Every(ctx, pause, func() {
		box.Put(c.round(ctx, time.Now())...)
		alive()
	})
	return nil
}

// seen is the version of an object that was sent last, and when.
type seen struct {
	version string
	at      time.Time
}

type collector struct {
	settings settings.Settings
	api      api
	log      *slog.Logger
	id       string // the cluster's
	sent     map[string]seen
	troubles map[string]string // kind -> what was told of it
}

// round makes the payloads of everything that is new, changed or due again.
func (c *collector) round(ctx context.Context, at time.Time) []wire.Payload {
	if c.id == "" {
		var system corev1.Namespace
		if err := c.api.Get(ctx, "/api/v1/namespaces/kube-system", &system); err != nil {
			c.trouble(ctx, "cluster id", err)
			return nil
		}
		c.trouble(ctx, "cluster id", nil)
		c.id = string(system.UID)
	}
	var payloads []wire.Payload
	for _, kind := range kinds {
		made, err := c.kind(ctx, kind, at)
		c.trouble(ctx, kind.name, err)
		payloads = append(payloads, made...)
	}
	for uid, last := range c.sent { // what was deleted is not sent again and need not be remembered
		if at.Sub(last.at) > 3*again {
			delete(c.sent, uid)
		}
	}
	return payloads
}

func (c *collector) kind(ctx context.Context, kind kind, at time.Time) ([]wire.Payload, error) {
	objects, err := kind.list(ctx, c.api)
	if err != nil {
		return nil, err
	}
	due := slices.DeleteFunc(objects.uids, func(uid string) bool {
		last, known := c.sent[uid]
		return known && last.version == objects.version[uid] && at.Sub(last.at) < again
	})
	var payloads []wire.Payload
	count := (len(due) + together - 1) / together
	for number := range count {
		uids := due[number*together : min(len(due), (number+1)*together)]
		payload, err := wire.Frame(path, c.settings.Hostname, at, objects.message(c.batch(number, count), uids), map[string]string{"X-Dd-Orchestrator-Clusterid": c.id})
		if err != nil {
			return payloads, err
		}
		payloads = append(payloads, payload)
		for _, uid := range uids {
			c.sent[uid] = seen{objects.version[uid], at}
		}
	}
	return payloads, nil
}

func (c *collector) batch(number, count int) batch {
	version := c.settings.Modelled
	return batch{
		cluster: c.settings.ClusterName, id: c.id, number: int32(number + 1), count: int32(count), tags: c.settings.GlobalTags(),
		version: &process.AgentVersion{Major: int64(version.Major), Minor: int64(version.Minor), Patch: int64(version.Patch), Pre: "standin"},
	}
}

// trouble tells an error once, and once when it is over.
func (c *collector) trouble(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return
	}
	told := ""
	if err != nil {
		told = err.Error()
		var refused *cluster.Refused
		if errors.As(err, &refused) && refused.Status == 403 {
			told = fmt.Sprintf("the service account may not list them: %s", refused.Message)
		}
	}
	if c.troubles[what] == told {
		return
	}
	c.troubles[what] = told
	if told == "" {
		c.log.Info("objects are collected again", "kind", what)
	} else {
		c.log.Warn("objects are not collected", "kind", what, "error", told)
	}
}
