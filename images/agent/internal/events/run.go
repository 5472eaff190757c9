// Package events sends what Kubernetes reports as events, from the start of this program on.
package events

import (
	"context"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"

	"agentstandin/internal/cluster"
	"agentstandin/internal/deliver"
	"agentstandin/internal/rounds"
	"agentstandin/internal/settings"
	"agentstandin/internal/wire"
)

const (
	path  = "/intake/"
	pause = 5 * time.Second
)

// payload is what /intake/ takes events in.
type payload struct {
	APIKey           string             `json:"apiKey"`
	Events           map[string][]Event `json:"events"`
	InternalHostname string             `json:"internalHostname"`
}

// Run sends new events every five seconds until ctx ends. alive is called after each round.
func Run(ctx context.Context, s settings.Settings, api *cluster.Client, out *deliver.Client, log *slog.Logger, alive func()) error {
	box := wire.Open(s.DDURL, out, log)
	defer box.Close()
	w := watcher{began: time.Now(), told: map[string]int32{}}
	failing := false
	rounds.Every(ctx, pause, func() {
		fresh, err := w.fresh(ctx, api)
		if err != nil && ctx.Err() == nil && !failing {
			log.Warn("no events", "error", err.Error())
		}
		failing = err != nil
		if len(fresh) > 0 {
			told := map[string][]Event{"kubernetes": bundles(fresh, s.ClusterName, s.GlobalTags())}
			box.PutJSON("events", path, payload{s.APIKey.Reveal(), told, s.Hostname})
		}
		alive()
	})
	return nil
}

// watcher remembers how often each event was told. The list is asked each time: the API server keeps events for an hour.
type watcher struct {
	began time.Time
	told  map[string]int32
}

type lister interface {
	Get(ctx context.Context, path string, into any) error
}

func (w *watcher) fresh(ctx context.Context, api lister) ([]news, error) {
	var list corev1.EventList
	if err := api.Get(ctx, "/api/v1/events", &list); err != nil {
		return nil, err
	}
	var fresh []news
	present := map[string]int32{}
	for i := range list.Items {
		event := &list.Items[i]
		uid, count := string(event.UID), times(event)
		present[uid] = count
		before, known := w.told[uid]
		switch {
		case known && count > before:
			fresh = append(fresh, news{event, count - before})
		case !known && !happened(event).Before(w.began.Truncate(time.Second)): // events carry whole seconds
			fresh = append(fresh, news{event, count})
		}
	}
	w.told = present
	return fresh, nil
}
