package inventory

import (
	"context"
	"log/slog"
	"os"
	"time"

	"agentstandin/internal/deliver"
	"agentstandin/internal/kubelet"
	"agentstandin/internal/metrics"
	"agentstandin/internal/rounds"
	"agentstandin/internal/settings"
	"agentstandin/internal/wire"
)

const (
	hostPath     = "/intake/"
	metadataPath = "/api/v1/metadata"
	pause        = 10 * time.Minute
)

// Run sends what this host and this agent are, at the start and every ten minutes until ctx ends.
func Run(ctx context.Context, s settings.Settings, _ *kubelet.Client, out *deliver.Client, log *slog.Logger) error {
	box := wire.Open(s.DDURL, out, log)
	defer box.Close()
	began := time.Now()
	rounds.Every(ctx, pause, func() {
		box.Put(payloads(s, metrics.ProcRoot(os.LookupEnv), began, time.Now(), log)...)
	})
	return nil
}

func payloads(s settings.Settings, proc string, began, at time.Time, log *slog.Logger) []wire.Payload {
	seen := look(proc)
	var made []wire.Payload
	for _, one := range []struct {
		what, path string
		content    any
	}{
		{"host metadata", hostPath, hostMetadata(s, seen)},
		{"agent inventory", metadataPath, agentMetadata(s, began, at)},
		{"host inventory", metadataPath, hostInventory(s, seen, at)},
	} {
		payload, err := wire.JSON(one.what, one.path, one.content)
		if err != nil {
			log.Error("metadata cannot be written", "error", err.Error())
			continue
		}
		made = append(made, payload)
	}
	return made
}
