package checks

import (
	"context"
	"log/slog"
	"time"

	"agentstandin/internal/deliver"
	"agentstandin/internal/settings"
	"agentstandin/internal/wire"
)

// RunCluster sends, until ctx ends, the check runs of the cluster agent: that it is up, and what is not done.
func RunCluster(ctx context.Context, s settings.Settings, out *deliver.Client, log *slog.Logger) error {
	box := wire.Open(s.DDURL, out, log)
	defer box.Close()
	ticks := time.NewTicker(notDonePeriod)
	defer ticks.Stop()
	for {
		runs := append([]CheckRun{{Check: "datadog.cluster_agent.up", Status: OK}}, NotDone()...)
		payload, err := wire.JSON("check runs", path, Stamped(runs, s, time.Now()))
		if err != nil {
			log.Error("check runs cannot be written", "error", err.Error())
		} else {
			box.Put(payload)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}
