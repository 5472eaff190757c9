package main

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"agentstandin/internal/cluster"
	"agentstandin/internal/deliver"
	"agentstandin/internal/environment"
	"agentstandin/internal/health"
	"agentstandin/internal/orchestrator"
	"agentstandin/internal/settings"
	"agentstandin/internal/standin"
)

// objectsLimit is how long a round over the cluster's objects may take before the runner counts as ill.
const objectsLimit = 90 * time.Second

// isRunner says whether the operator started this agent as a cluster checks runner: one that has no node of its own.
func isRunner() bool { return isSet("DD_CLC_RUNNER_ENABLED") }

// isSet is false as well for a value that makes no sense.
func isSet(name string) bool {
	r := environment.Reader{Lookup: os.LookupEnv}
	return r.Flag(false, name)
}

// runner answers the probes and sends the cluster's objects, for which the operator gives it the rights. No other
// cluster check is run here.
func runner(ctx context.Context, s settings.Settings, log *slog.Logger) int {
	log.Warn("not done", "feature", "cluster_checks", "reason", standin.NotDone["cluster_checks"])
	beats := health.New()
	var running sync.WaitGroup
	if isSet("DD_ORCHESTRATOR_EXPLORER_ENABLED") {
		api, err := cluster.InCluster()
		if err != nil {
			log.Error("bad environment", "error", err.Error())
			return 2
		}
		beat := beats.Watch("objects", objectsLimit)
		out := deliver.New(s, nil)
		running.Go(func() { finished(ctx, beat, "objects", orchestrator.Run(ctx, s, api, out, log, beat.Alive), log) })
	}
	if s.HealthPort != 0 {
		if err := health.Serve(ctx, s.HealthPort, beats.Handler()); err != nil {
			log.Error("cannot listen", "what", "health port", "error", err.Error())
			return 1
		}
	}
	<-ctx.Done()
	if !ended(&running, endLimit) {
		log.Warn("not everything ended in time", "limit", endLimit.String())
		return 1
	}
	return 0
}
