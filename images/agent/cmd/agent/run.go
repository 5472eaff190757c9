package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"agentstandin/internal/checks"
	"agentstandin/internal/deliver"
	"agentstandin/internal/filter"
	"agentstandin/internal/health"
	"agentstandin/internal/inventory"
	"agentstandin/internal/kubelet"
	"agentstandin/internal/logs"
	"agentstandin/internal/metrics"
	"agentstandin/internal/processes"
	"agentstandin/internal/rounds"
	"agentstandin/internal/settings"
	"agentstandin/internal/standin"
)

const (
	endLimit     = 3 * time.Second // the operator replaces agents one after the other: none may dawdle
	kubeletEvery = 15 * time.Second
)

// part is one thing that the agent does until its context ends.
type part struct {
	name string
	run  func(ctx context.Context, s settings.Settings, pods *kubelet.Client, out *deliver.Client, log *slog.Logger) error
}

var parts = []part{{"metrics", metrics.Run}, {"checks", checks.Run}, {"inventory", inventory.Run}, {"processes", processes.Run}}

func run(ctx context.Context, s settings.Settings, log *slog.Logger) int {
	if err := s.RequireKey(); err != nil {
		log.Error("bad environment", "error", err.Error())
		return 2
	}
	if isRunner() {
		return runner(ctx, s, log)
	}
	if os.Getenv("DD_CEL_WORKLOAD_EXCLUDE") != "" {
		log.Error("bad environment", "error", standin.NotDone["cel_workload_exclude"])
		return 2
	}
	pods, err := kubelet.New(s)
	if err != nil {
		log.Error("bad environment", "error", err.Error())
		return 2
	}
	s = fromKubelet(ctx, s, pods, log)
	chosen, problems := filter.New(s.Lists, s.Modelled)
	for _, problem := range problems {
		log.Error("a container filter cannot be used", "problem", problem.String())
	}
	log.Info("starting", "version", standin.Version, "modelled", s.Modelled.String(), "hostname", s.Hostname,
		"intake", settings.Without(s.DDURL), "logs_intake", settings.Without(s.LogsURL), "logs", s.Logs.Enabled)
	for feature, reason := range standin.NotDone {
		log.Debug("not done", "feature", feature, "reason", reason)
	}

	beats := health.New()
	out := deliver.New(s, nil)
	var running sync.WaitGroup
	var collector *logs.Collector
	if s.Logs.Enabled {
		beat := beats.Watch("logs", 30*time.Second)
		if collector, err = logs.New(s, chosen, pods, out, beat, log); err != nil {
			log.Error("logs cannot be collected", "error", err.Error())
			return 1
		}
		running.Go(func() { finished(ctx, beat, "logs", collector.Run(ctx), log) })
	}
	for _, each := range parts {
		beat := beats.Watch(each.name, math.MaxInt64)
		beat.Alive()
		running.Go(func() { finished(ctx, beat, each.name, each.run(ctx, s, pods, out, log), log) })
	}
	running.Go(func() { watchKubelet(ctx, pods, beats.WatchOutside("kubelet")) })
	if s.HealthPort != 0 {
		go serve(ctx, ":"+strconv.Itoa(s.HealthPort), beats.Handler(), "health port", log)
	}
	if s.StatusPort != 0 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(s.StatusPort))
		go serve(ctx, address, statusPage(s, collector, problems, beats), "status page", log)
	}
	<-ctx.Done()
	log.Info("ending")
	if !ended(&running, endLimit) {
		log.Warn("not everything ended in time", "limit", endLimit.String())
		return 1
	}
	log.Info("ended")
	return 0
}

func finished(ctx context.Context, beat *health.Beat, name string, err error, log *slog.Logger) {
	if ctx.Err() != nil {
		return
	}
	why := "ended by itself"
	if err != nil {
		why = err.Error()
	}
	log.Error("a part of the agent has ended", "part", name, "error", why)
	beat.Failed(why)
}

func ended(running *sync.WaitGroup, limit time.Duration) bool {
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}

func serve(ctx context.Context, address string, handler http.Handler, what string, log *slog.Logger) {
	if err := health.ServeOn(ctx, address, handler); err != nil {
		log.Error("cannot listen", "what", what, "address", address, "error", err.Error())
	}
}

func watchKubelet(ctx context.Context, pods *kubelet.Client, beat *health.Beat) {
	rounds.Every(ctx, kubeletEvery, func() {
		if _, err := pods.PodsWithin(ctx, kubeletEvery); err != nil {
			beat.Failed(err.Error())
		} else {
			beat.Alive()
		}
	})
}

// fromKubelet fills in what the operator leaves out of the environment: the node's name, and the release that is
// modelled, from the tag of the agent's own image.
func fromKubelet(ctx context.Context, s settings.Settings, pods *kubelet.Client, log *slog.Logger) settings.Settings {
	s, err := inventory.Named(ctx, s, pods)
	if err != nil {
		log.Warn("the node's name is not known", "hostname", s.Hostname, "error", err.Error())
	}
	if _, given := os.LookupEnv("DD_AGENT_VERSION_MODELLED"); given {
		return s
	}
	all, err := pods.Pods(ctx)
	if err != nil {
		return s // it was told above, or will be
	}
	own, _ := os.Hostname()
	if release, ok := settings.ReleaseOf(all, own); ok {
		s.Modelled = release
	}
	return s
}

// statusPage answers /status and /workloadfilter.
func statusPage(s settings.Settings, collector *logs.Collector, problems []filter.Problem, beats *health.Health) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, value any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value)
	}
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		healthy, unhealthy := beats.Report(false)
		page := map[string]any{
			"version": standin.Version, "hostname": s.Hostname, "modelled_agent": s.Modelled.String(), "not_done": standin.NotDone,
			"healthy": healthy, "unhealthy": unhealthy, "logs": nil,
		}
		if collector != nil {
			page["logs"] = collector.Status()
		}
		answer(w, page)
	})
	mux.HandleFunc("GET /workloadfilter", func(w http.ResponseWriter, _ *http.Request) {
		page := map[string]any{"modelled_agent": s.Modelled.String(), "lists": s.Lists, "problems": problems}
		if collector != nil {
			for _, product := range []filter.Product{filter.Logs, filter.Metrics, filter.SharedMetrics} {
				page[string(product)] = collector.FilterOf(product)
			}
		}
		answer(w, page)
	})
	return mux
}
