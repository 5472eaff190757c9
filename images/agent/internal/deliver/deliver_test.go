package deliver

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"agentstandin/internal/settings"
)

func answering(t *testing.T, status int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, "why")
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func outcome(t *testing.T, rules Rules, status int) string {
	t.Helper()
	client := New(settings.Settings{APIKey: "k"}, nil).With(rules)
	err := client.Post(context.Background(), answering(t, status), nil, []byte("{}"), "application/json")
	var refused *Refused
	var unavailable *Unavailable
	switch {
	case err == nil:
		return "accepted"
	case errors.As(err, &refused) && refused.Status == status && refused.Answer == "why":
		return "refused"
	case errors.As(err, &unavailable) && unavailable.Status == status:
		return "unavailable"
	}
	return err.Error()
}

func TestOutcomesOfLogs(t *testing.T) {
	for status, want := range map[int]string{
		200: "accepted", 202: "accepted",
		400: "refused", 401: "refused", 403: "refused", 413: "refused",
		404: "unavailable", 408: "unavailable", 429: "unavailable", 500: "unavailable", 503: "unavailable", 302: "unavailable",
	} {
		if got := outcome(t, Logs, status); got != want {
			t.Errorf("%d: %s, not %s", status, got, want)
		}
	}
}

func TestTheForwarderKeepsWhatWasForbidden(t *testing.T) {
	for status, want := range map[int]string{400: "refused", 413: "refused", 403: "unavailable", 401: "unavailable", 500: "unavailable"} {
		if got := outcome(t, Forwarder, status); got != want {
			t.Errorf("%d: %s, not %s", status, got, want)
		}
	}
}

func TestHeadersAndKey(t *testing.T) {
	var seen http.Header
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		reader, err := gzip.NewReader(r.Body)
		if err == nil {
			body, _ = io.ReadAll(reader)
		}
	}))
	defer server.Close()
	client := New(settings.Settings{APIKey: "the-key"}, nil)
	headers := map[string]string{"Content-Encoding": "gzip", "DD-PROTOCOL": "agent-json"}
	if err := client.Post(context.Background(), server.URL, headers, Gzip([]byte("hello")), "text/plain"); err != nil {
		t.Fatal(err)
	}
	if seen.Get("DD-API-KEY") != "the-key" || !strings.Contains(seen.Get("User-Agent"), "standin") || seen.Get("DD-PROTOCOL") != "agent-json" {
		t.Error(seen)
	}
	if string(body) != "hello" {
		t.Errorf("%q", body)
	}
}

func TestNoAnswerIsUnavailableWithoutTheAddress(t *testing.T) {
	client := New(settings.Settings{}, nil)
	err := client.Post(context.Background(), "http://127.0.0.1:1/?api_key=secret", nil, nil, "text/plain")
	var unavailable *Unavailable
	if !errors.As(err, &unavailable) || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

func TestDeliverTriesUntilItIsAccepted(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 4 {
			w.WriteHeader(500)
		}
	}))
	defer server.Close()
	client := New(settings.Settings{}, nil).With(Logs)
	failures := 0
	backoff := &Backoff{Base: time.Microsecond, Most: time.Millisecond}
	err := client.Deliver(context.Background(), backoff, server.URL, nil, nil, "text/plain", func(error) { failures++ })
	if err != nil || asked.Load() != 4 || failures != 3 {
		t.Error(err, asked.Load(), failures)
	}
	if counts := client.Counts(); counts.Accepted.Load() != 1 || counts.Unavailable.Load() != 3 {
		t.Error("counts")
	}
}

func TestDeliverGivesUpWhenRefused(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	client := New(settings.Settings{}, nil).With(Logs)
	err := client.Deliver(ctx, LogsBackoff(), answering(t, 403), nil, nil, "text/plain", nil)
	var refused *Refused
	if !errors.As(err, &refused) {
		t.Error(err)
	}
}

func TestDeliverEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	client := New(settings.Settings{}, nil).With(Logs)
	err := client.Deliver(ctx, &Backoff{Base: time.Hour, Most: time.Hour}, answering(t, 500), nil, nil, "text/plain", func(error) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestBackoffDoublesUpToItsMost(t *testing.T) {
	b := LogsBackoff()
	b.random = func() float64 { return 1 }
	for failures, want := range map[int]time.Duration{1: 2 * time.Second, 3: 8 * time.Second, 7: 120 * time.Second, 1000: 120 * time.Second} {
		b.failures = failures
		if got := b.pause(); got != want {
			t.Errorf("after %d: %s, not %s", failures, got, want)
		}
	}
	b.random = func() float64 { return 0 }
	b.failures = 1
	if got := b.pause(); got != time.Second {
		t.Errorf("at least half: %s", got)
	}
}

func TestAHurryMakesWaitsShort(t *testing.T) {
	hurry := make(chan struct{})
	b := &Backoff{Base: time.Hour, Most: time.Hour, Hurry: hurry}
	time.AfterFunc(time.Millisecond, func() { close(hurry) })
	for range 2 { // the wait that was under way, and one that begins later
		if err := b.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}
