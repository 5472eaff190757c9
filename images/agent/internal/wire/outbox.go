package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"agentstandin/internal/deliver"
)

// Payload is one request to the intake; Path goes behind the outbox's address.
type Payload struct {
	What        string // for logs
	Path        string
	ContentType string
	Encoding    string // Content-Encoding, empty for none
	Headers     map[string]string
	Body        []byte
}

// JSON makes a gzipped JSON payload. The error says what cannot be written as JSON.
func JSON(what, path string, content any) (Payload, error) {
	body, err := json.Marshal(content)
	if err != nil {
		return Payload{}, fmt.Errorf("%s: %w", what, err)
	}
	return Payload{What: what, Path: path, ContentType: "application/json", Encoding: "gzip", Body: deliver.Gzip(body)}, nil
}

const (
	waitingBytes = 4 << 20 // a part of the agent's 15 MiB (forwarder_retry_queue_payloads_max_size): there are several outboxes
	// The agent waits up to 64 s between tries. Here agent and intake start together: the first figures must not be late.
	longestPause = 10 * time.Second
	endLimit     = 1200 * time.Millisecond
)

// Outbox sends payloads one after the other and keeps, while the intake does not answer, the newest 4 MiB.
type Outbox struct {
	address string
	out     *deliver.Client
	log     *slog.Logger
	backoff *deliver.Backoff

	lock    sync.Mutex
	waiting []Payload
	bytes   int
	wake    chan struct{}
	ended   chan struct{}
	stop    context.CancelFunc
	dropped int
	failing bool
}

// Open starts sending to address until Close.
func Open(address string, out *deliver.Client, log *slog.Logger) *Outbox {
	ctx, stop := context.WithCancel(context.Background())
	o := &Outbox{
		address: address, out: out, log: log, backoff: &deliver.Backoff{Base: 2 * time.Second, Most: longestPause},
		wake: make(chan struct{}, 1), ended: make(chan struct{}), stop: stop,
	}
	go o.send(ctx)
	return o
}

// Put queues payloads; it does not block. When too much waits, the oldest is dropped and counted.
func (o *Outbox) Put(payloads ...Payload) {
	o.lock.Lock()
	for _, payload := range payloads {
		o.waiting = append(o.waiting, payload)
		o.bytes += len(payload.Body)
	}
	lost := 0
	for o.bytes > waitingBytes && len(o.waiting) > 1 {
		o.bytes -= len(o.waiting[0].Body)
		o.waiting = o.waiting[1:]
		lost++
	}
	o.dropped += lost
	dropped := o.dropped
	o.lock.Unlock()
	if lost > 0 {
		o.log.Warn("the oldest payloads are dropped: too much waits for the intake", "dropped", dropped)
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// PutJSON queues the content as gzipped JSON; what cannot be written so is told in the log.
func (o *Outbox) PutJSON(what, path string, content any) {
	payload, err := JSON(what, path, content)
	if err != nil {
		o.log.Error(what+" cannot be written", "error", err.Error())
		return
	}
	o.Put(payload)
}

// Close tries once more, for about a second, to send what waits.
func (o *Outbox) Close() {
	o.stop()
	<-o.ended
	ctx, cancel := context.WithTimeout(context.Background(), endLimit)
	defer cancel()
	for payload, ok := o.next(); ok; payload, ok = o.next() {
		if err := o.post(ctx, payload); err != nil {
			o.lock.Lock()
			left := len(o.waiting) + 1
			o.lock.Unlock()
			o.log.Warn("payloads were not sent before the end", "payloads", left, "error", err.Error())
			return
		}
	}
}

func (o *Outbox) next() (Payload, bool) {
	o.lock.Lock()
	defer o.lock.Unlock()
	if len(o.waiting) == 0 {
		return Payload{}, false
	}
	first := o.waiting[0]
	o.waiting[0] = Payload{} // its body must not stay in memory
	o.waiting = o.waiting[1:]
	o.bytes -= len(first.Body)
	return first, true
}

// back puts a payload to the front again: it was taken and could not be sent.
func (o *Outbox) back(payload Payload) {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.waiting = append([]Payload{payload}, o.waiting...)
	o.bytes += len(payload.Body)
}

func (o *Outbox) send(ctx context.Context) {
	defer close(o.ended)
	for {
		payload, ok := o.next()
		if !ok {
			select {
			case <-o.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		err := o.post(ctx, payload)
		var refused *deliver.Refused
		switch {
		case err == nil:
			o.recovered()
			continue
		case errors.As(err, &refused):
			o.backoff.Succeeded()
			o.log.Error("the intake refuses a payload", "payload", payload.What, "error", err.Error())
			continue
		}
		o.back(payload)
		if ctx.Err() != nil {
			return
		}
		o.tell(payload, err)
		if o.backoff.Wait(ctx) != nil {
			return
		}
	}
}

func (o *Outbox) post(ctx context.Context, payload Payload) error {
	headers := map[string]string{}
	for name, value := range payload.Headers {
		headers[name] = value
	}
	if payload.Encoding != "" {
		headers["Content-Encoding"] = payload.Encoding
	}
	return o.out.Post(ctx, o.address+payload.Path, headers, payload.Body, payload.ContentType)
}

// tell writes one line when the intake stops to answer, and recovered one when it does again.
func (o *Outbox) tell(payload Payload, err error) {
	if !o.failing {
		o.log.Warn("the intake does not take payloads: they wait", "payload", payload.What, "error", err.Error())
	}
	o.failing = true
}

func (o *Outbox) recovered() {
	o.backoff.Succeeded()
	if o.failing {
		o.log.Info("the intake takes payloads again")
	}
	o.failing = false
}
