package logs

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/semaphore"

	"agentstandin/internal/deliver"
	"agentstandin/internal/standin"
)

const (
	queued       = 1000 // messages between the tailers and the batch that is being filled
	batchBytes   = 5_000_000
	heldBytes    = 16 << 20 // of lines between the tailers and the intake
	tellInterval = 30 * time.Second
)

// pipeline takes lines of all tailers, sends them in batches, and notes what is done. Lines of one container stay in
// their order: there is one payload on its way at a time.
type pipeline struct {
	address  string
	wait     time.Duration
	most     int // lines in a batch
	compress bool
	out      *deliver.Client
	backoff  *deliver.Backoff
	registry *registry
	log      *slog.Logger

	// How long a payload that is on its way may take after the end was asked for.
	lastWords time.Duration

	messages chan message
	batches  chan batch
	held     *semaphore.Weighted
	encoder  *zstd.Encoder
	totals   totals
	told     time.Time
	untold   int64
}

type totals struct {
	sent, dropped, payloads, failures atomic.Int64
	waiting                           atomic.Pointer[string] // why the newest payload has to wait
}

type batch struct {
	messages []message
	lines    int
	bytes    int
	weight   int64
}

func newPipeline(address string, wait time.Duration, most int, compress bool, out *deliver.Client, backoff *deliver.Backoff, registry *registry, log *slog.Logger) (*pipeline, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	return &pipeline{
		address: address, wait: wait, most: most, compress: compress, out: out, backoff: backoff, registry: registry, log: log,
		lastWords: 2 * time.Second,
		messages:  make(chan message, queued), batches: make(chan batch),
		held: semaphore.NewWeighted(heldBytes), encoder: encoder,
	}, nil
}

// take accepts a line of a tailer, and blocks while too many wait. The error is ctx's.
func (p *pipeline) take(ctx context.Context, m message) error {
	if err := p.held.Acquire(ctx, min(m.weight(), heldBytes)); err != nil {
		return err
	}
	select {
	case p.messages <- m:
		return nil
	case <-ctx.Done():
		p.held.Release(min(m.weight(), heldBytes))
		return ctx.Err()
	}
}

// collect makes batches until messages is closed; the last one leaves at once.
func (p *pipeline) collect() {
	defer close(p.batches)
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	var current batch
	flush := func() {
		timer.Stop()
		if len(current.messages) > 0 {
			p.batches <- current
		}
		current = batch{}
	}
	for {
		select {
		case m, open := <-p.messages:
			if !open {
				flush()
				return
			}
			if current.bytes+len(m.encoded) > batchBytes {
				flush()
			}
			if len(current.messages) == 0 {
				timer.Reset(p.wait)
			}
			current.messages = append(current.messages, m)
			current.weight += min(m.weight(), heldBytes)
			if m.encoded != nil {
				current.lines++
				current.bytes += len(m.encoded)
			}
			// News of progress alone may wait longer than lines, but not for ever.
			if current.lines >= p.most || len(current.messages) >= 10*p.most {
				flush()
			}
		case <-timer.C:
			flush()
		}
	}
}

// deliver sends batches until there are no more. When ctx has ended, what is on its way gets lastWords more.
func (p *pipeline) deliver(ctx context.Context) {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	p.backoff.Hurry = ctx.Done()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(p.lastWords, cancel) })()
	for b := range p.batches {
		if sending.Err() == nil {
			p.deliverBatch(sending, b)
		}
		p.held.Release(b.weight)
	}
}

func (p *pipeline) deliverBatch(ctx context.Context, b batch) {
	dropped := false
	if b.lines > 0 {
		err := p.post(ctx, b)
		var refused *deliver.Refused
		switch {
		case errors.As(err, &refused):
			dropped = true
			p.tellDropped(int64(b.lines), refused)
		case err != nil:
			return // the end came first: nothing of it is noted, so it is read again after the start
		}
		p.totals.payloads.Add(1)
		p.totals.waiting.Store(nil)
	}
	done := map[string]*spots{}
	for _, m := range b.messages {
		done[m.container] = m.done
		switch {
		case m.encoded == nil:
		case dropped:
			m.counts.dropped.Add(1)
			p.totals.dropped.Add(1)
		default:
			m.counts.sent.Add(1)
			p.totals.sent.Add(1)
		}
	}
	if err := p.registry.advance(done); err != nil {
		p.log.Error("what was sent cannot be noted: it may be sent again after a restart", "error", err.Error())
	}
}

func (p *pipeline) post(ctx context.Context, b batch) error {
	body := make([]byte, 0, b.bytes+b.lines+2)
	for _, m := range b.messages {
		if m.encoded != nil {
			body = append(body, ',')
			body = append(body, m.encoded...)
		}
	}
	body[0] = '['
	body = append(body, ']')
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	headers := headers()
	headers["dd-current-timestamp"], headers["dd-message-timestamp"] = now, now
	if p.compress {
		body = p.encoder.EncodeAll(body, make([]byte, 0, len(body)/8))
		headers["Content-Encoding"] = "zstd"
	}
	return p.out.Deliver(ctx, p.backoff, p.address, headers, body, "application/json", func(err error) {
		p.totals.failures.Add(1)
		why := err.Error()
		p.totals.waiting.Store(&why)
		p.log.Warn("logs wait: they will be sent again", "lines", b.lines, "error", why)
	})
}

func headers() map[string]string {
	return map[string]string{
		"DD-PROTOCOL":           "agent-json",
		"DD-EVP-ORIGIN":         "agent",
		"DD-EVP-ORIGIN-VERSION": standin.Version,
	}
}

func (p *pipeline) tellDropped(lines int64, why error) {
	p.untold += lines
	if time.Since(p.told) < tellInterval {
		return
	}
	p.log.Error("log lines are dropped: the intake refuses them", "lines", p.untold, "error", why.Error())
	p.told, p.untold = time.Now(), 0
}

// probe is the agent's test of the connection when it starts: an empty object must be answered below 400.
func (p *pipeline) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return p.out.Post(ctx, p.address, headers(), bytes.Clone([]byte("{}")), "application/json")
}
