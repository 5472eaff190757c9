package checks

import (
	"context"
	"log/slog"
	"time"

	"agentstandin/internal/deliver"
	"agentstandin/internal/rounds"
	"agentstandin/internal/settings"
	"agentstandin/internal/wire"
)

// RunCluster sends, until ctx ends, the check runs of the cluster agent: that it is up, and what is not done.
func RunCluster(ctx context.Context, s settings.Settings, out *deliver.Client, log *slog.Logger) error {
	box := wire.Open(s.DDURL, out, log)
	defer box.Close()
	rounds.Every(ctx, notDonePeriod, func() {
		up := CheckRun{Check: "datadog.cluster_agent.up", Status: OK}
		box.PutJSON("check runs", path, Stamped(append([]CheckRun{up}, NotDone()...), s, time.Now()))
	})
	return nil
}
