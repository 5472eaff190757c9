// Package rounds repeats work at a steady pace.
package rounds

import (
	"context"
	"time"
)

// Every does the work at once, and again at each tick until ctx ends. A round that lasts longer than the pause is followed
// by the next one at once.
func Every(ctx context.Context, pause time.Duration, work func()) {
	ticks := time.NewTicker(pause)
	defer ticks.Stop()
	for {
		work()
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}
