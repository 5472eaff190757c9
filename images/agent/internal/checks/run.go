// Package checks sends check runs: that the agent is up, how the kubelet is, and what this stand-in does not do.
package checks

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"agentstandin/internal/deliver"
	"agentstandin/internal/kubelet"
	"agentstandin/internal/metrics"
	"agentstandin/internal/rounds"
	"agentstandin/internal/settings"
	"agentstandin/internal/standin"
	"agentstandin/internal/wire"
)

const (
	path          = "/api/v1/check_run"
	notDone       = "meshproof.stand_in.not_done"
	notDonePeriod = time.Minute
	askLimit      = 3 * time.Second
)

// Status is a check run's outcome, in Datadog's numbers.
type Status int

// The outcomes.
const (
	OK Status = iota
	Warning
	Critical
	Unknown
)

// CheckRun is one item of the payload.
type CheckRun struct {
	Check     string   `json:"check"`
	HostName  string   `json:"host_name"`
	Timestamp int64    `json:"timestamp"`
	Status    Status   `json:"status"`
	Message   string   `json:"message"`
	Tags      []string `json:"tags"`
}

// ran are the checks of the agent that internal/metrics does the work of.
var ran = []string{"container", "cpu", "disk", "kubelet", "load", "memory", "network", "uptime"}

// Run sends check runs until ctx ends. The error says which variable makes no sense.
func Run(ctx context.Context, s settings.Settings, pods *kubelet.Client, out *deliver.Client, log *slog.Logger) error {
	interval, err := metrics.Interval(os.LookupEnv)
	if err != nil {
		return err
	}
	box := wire.Open(s.DDURL, out, log)
	defer box.Close()
	var told time.Time
	rounds.Every(ctx, interval, func() {
		at := time.Now()
		runs := regular(ctx, pods)
		if at.Sub(told) >= notDonePeriod {
			runs, told = append(runs, NotDone()...), at
		}
		if ctx.Err() == nil {
			box.PutJSON("check runs", path, Stamped(runs, s, at))
		}
	})
	return nil
}

// NotDone is one check run for each thing that the agent does and this stand-in does not.
func NotDone() []CheckRun {
	var runs []CheckRun
	for _, feature := range slices.Sorted(maps.Keys(standin.NotDone)) {
		runs = append(runs, CheckRun{Check: notDone, Status: Unknown, Message: standin.NotDone[feature], Tags: []string{"feature:" + feature}})
	}
	return runs
}

// Stamped gives every run the host, the time and the global tags.
func Stamped(runs []CheckRun, s settings.Settings, at time.Time) []CheckRun {
	for i := range runs {
		runs[i].HostName, runs[i].Timestamp = s.Hostname, at.Unix()
		runs[i].Tags = append(append([]string{}, runs[i].Tags...), s.GlobalTags()...)
	}
	return runs
}

func regular(ctx context.Context, pods *kubelet.Client) []CheckRun {
	runs := []CheckRun{{Check: "datadog.agent.up", Status: OK}}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	healthy := kubeletRuns(ctx, pods)
	for _, check := range ran {
		status := OK
		if check == "kubelet" {
			status = healthy[0].Status
		}
		runs = append(runs, CheckRun{Check: "datadog.agent.check_status", Status: status, Tags: []string{"check:" + check}})
	}
	return append(runs, healthy...)
}

// kubeletRuns: the first is about the kubelet as a whole, the others about the parts that /healthz tells.
func kubeletRuns(ctx context.Context, pods *kubelet.Client) []CheckRun {
	answer, err := pods.Get(ctx, "/healthz?verbose")
	if err != nil {
		return []CheckRun{{Check: "kubernetes.kubelet.check", Status: Critical, Message: err.Error()}}
	}
	return parts(string(answer))
}

func parts(answer string) []CheckRun {
	whole := CheckRun{Check: "kubernetes.kubelet.check", Status: OK}
	runs := []CheckRun{}
	for line := range strings.Lines(answer) {
		name, rest, found := strings.Cut(strings.TrimLeft(line, "[+-]"), " ")
		switch {
		case !found || len(line) < 3:
		case strings.HasPrefix(line, "[+]"):
			runs = append(runs, CheckRun{Check: "kubernetes.kubelet.check." + name, Status: OK})
		case strings.HasPrefix(line, "[-]"):
			problem := strings.TrimSpace(name + " " + rest)
			runs = append(runs, CheckRun{Check: "kubernetes.kubelet.check." + name, Status: Critical, Message: problem})
			whole.Status, whole.Message = Critical, problem
		}
	}
	return append([]CheckRun{whole}, runs...)
}
