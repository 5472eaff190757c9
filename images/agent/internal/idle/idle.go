// Package idle is for programs that the operator starts and that do nothing here: they say so and stay up.
package idle

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"agentstandin/internal/standin"
)

// Main answers `version`, or says what of the named features is not done and waits for SIGTERM. It returns the exit
// code: 0, or 2 for a feature that standin.NotDone does not know.
func Main(program string, features []string, arguments []string, out io.Writer) int {
	if slices.Contains(arguments, "version") {
		fmt.Fprintf(out, "%s %s\n", program, standin.Version)
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return Wait(ctx, program, features, out)
}

// Wait says what is not done and returns when ctx ends.
func Wait(ctx context.Context, program string, features []string, out io.Writer) int {
	log := slog.New(slog.NewJSONHandler(out, nil))
	for _, feature := range features {
		reason, known := standin.NotDone[feature]
		if !known {
			log.Error("no such feature", "program", program, "feature", feature)
			return 2
		}
		log.Warn("not done", "program", program, "feature", feature, "reason", reason)
	}
	log.Info("waiting", "program", program, "version", standin.Version, "pid", os.Getpid())
	<-ctx.Done()
	return 0
}
