// Package metrics sends what the agent's checks kubelet, container, cpu, memory, load, network, disk and uptime send.
package metrics

import (
	"context"
	"log/slog"
	"os"
	"time"

	"agentstandin/internal/deliver"
	"agentstandin/internal/environment"
	"agentstandin/internal/filter"
	"agentstandin/internal/kubelet"
	"agentstandin/internal/rounds"
	"agentstandin/internal/settings"
	"agentstandin/internal/standin"
	"agentstandin/internal/wire"
)

const intervalVariable = "DD_STANDIN_METRICS_INTERVAL"

// Interval is how often metrics and check runs are sent: 15 s, or what DD_STANDIN_METRICS_INTERVAL says in seconds.
func Interval(lookup func(string) (string, bool)) (time.Duration, error) {
	r := environment.Reader{Lookup: lookup}
	seconds := r.Whole(15, 1, 3600, intervalVariable)
	return time.Duration(seconds) * time.Second, r.Err()
}

// Run sends metrics until ctx ends. The error says which variable makes no sense.
func Run(ctx context.Context, s settings.Settings, pods *kubelet.Client, out *deliver.Client, log *slog.Logger) error {
	interval, err := Interval(os.LookupEnv)
	if err != nil {
		return err
	}
	box := wire.Open(s.DDURL, out, log)
	defer box.Close()
	chosen, _ := filter.New(s.Lists, s.Modelled) // its problems are told by who reads the lists for logs
	node := &node{settings: s, filter: chosen, kubelet: pods, host: host{proc: ProcRoot(os.LookupEnv)}, log: log}
	rounds.Every(ctx, interval, func() {
		at := time.Now()
		payloads, err := wire.Series(s.Hostname, at, interval, node.points(ctx, at))
		if err != nil {
			log.Error("metrics cannot be written", "error", err.Error())
		}
		if ctx.Err() == nil {
			box.Put(payloads...)
		}
	})
	return nil
}

// node gathers one moment's points and remembers the counters of the moment before.
type node struct {
	settings settings.Settings
	filter   filter.Filter
	kubelet  *kubelet.Client
	host     host
	log      *slog.Logger
	counters counters
	failing  bool
}

func (n *node) points(ctx context.Context, at time.Time) []wire.Point {
	points := []wire.Point{gauge("datadog.agent.running", 1, "", []string{"version:" + standin.Version})}
	measured, err := n.host.points(at)
	if err != nil {
		n.log.Warn("a part of the host's metrics is missing", "error", err.Error())
	}
	points = append(points, measured...)
	seen, err := n.podPoints(ctx, at)
	if err != nil && ctx.Err() == nil && !n.failing {
		n.log.Warn("no metrics of pods and containers", "error", err.Error())
	}
	n.failing = err != nil
	points = append(points, seen...)
	global := n.settings.GlobalTags()
	for i := range points {
		points[i].Tags = append(append([]string{}, points[i].Tags...), global...)
	}
	return points
}

func (n *node) podPoints(ctx context.Context, at time.Time) ([]wire.Point, error) {
	pods, err := n.kubelet.Pods(ctx)
	if err != nil {
		return nil, err
	}
	points := n.statePoints(pods, at)
	summary, err := n.kubelet.Summary(ctx)
	if err != nil {
		return points, err
	}
	return append(points, n.usagePoints(pods, summary, at)...), nil
}

func gauge(metric string, value float64, unit string, tags []string) wire.Point {
	return wire.Point{Metric: metric, Kind: wire.Gauge, Value: value, Unit: unit, Tags: tags}
}
