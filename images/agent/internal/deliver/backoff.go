package deliver

import (
	"context"
	"math"
	"math/rand/v2"
	"time"
)

// Backoff is the agent's exponential wait between tries: after n failures in a row between half and all of
// Base*2^n, never more than Most; each success takes two failures back (pkg/util/backoff).
type Backoff struct {
	Base, Most time.Duration
	// Hurry, once it is closed, makes every wait short: the program is about to end. It may be nil.
	Hurry    <-chan struct{}
	failures int
	random   func() float64 // from 0 to 1; nil means math/rand
}

// LogsBackoff is the logs sender's: 1-2 s after the first failure, up to 120 s.
func LogsBackoff() *Backoff { return &Backoff{Base: time.Second, Most: 120 * time.Second} }

// ForwarderBackoff is the forwarder's: 2-4 s after the first failure, up to 64 s.
func ForwarderBackoff() *Backoff { return &Backoff{Base: 2 * time.Second, Most: 64 * time.Second} }

const (
	recovery = 2
	inHurry  = 100 * time.Millisecond
)

// Succeeded takes failures back.
func (b *Backoff) Succeeded() { b.failures = max(0, b.failures-recovery) }

// Wait counts a failure and waits; the error is ctx's when it ends first.
func (b *Backoff) Wait(ctx context.Context) error {
	b.failures++
	timer := time.NewTimer(b.pause())
	defer timer.Stop()
	hurry := b.Hurry
	for {
		select {
		case <-timer.C:
			return nil
		case <-hurry:
			hurry = nil
			timer.Reset(inHurry)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *Backoff) pause() time.Duration {
	most := float64(b.Base) * math.Exp2(float64(min(b.failures, 60)))
	most = math.Min(most, float64(b.Most))
	random := rand.Float64
	if b.random != nil {
		random = b.random
	}
	return time.Duration(most/2 + random()*most/2)
}
