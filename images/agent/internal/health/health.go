// Package health answers the kubelet's probes: /live, /ready and /startup.
package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"sort"
	"strconv"
	"sync"
	"time"
)

// Health knows the components and when each was last alive.
type Health struct {
	lock  sync.Mutex
	beats []*Beat
	now   func() time.Time
}

// Beat is one component's pulse; safe from many goroutines.
type Beat struct {
	health *Health
	name   string
	limit  time.Duration
	last   time.Time
	begun  bool
	failed string
	lives  bool // a restart would not help when it fails
}

// New knows no component yet.
func New() *Health { return &Health{now: time.Now} }

// Watch adds a component that must be Alive again within limit; until its first pulse it is not ready, and from now on
// the limit counts.
func (h *Health) Watch(name string, limit time.Duration) *Beat {
	h.lock.Lock()
	defer h.lock.Unlock()
	beat := &Beat{health: h, name: name, limit: limit, last: h.now()}
	h.beats = append(h.beats, beat)
	return beat
}

// WatchOutside adds something outside of this process: while it fails the agent is not ready, but it lives.
func (h *Health) WatchOutside(name string) *Beat {
	beat := h.Watch(name, math.MaxInt64)
	beat.lives = true
	return beat
}

// Alive is the pulse.
func (b *Beat) Alive() {
	b.health.lock.Lock()
	defer b.health.lock.Unlock()
	b.last, b.begun, b.failed = b.health.now(), true, ""
}

// Failed says that the component ended or cannot work, and why; Alive takes it back.
func (b *Beat) Failed(why string) {
	b.health.lock.Lock()
	defer b.health.lock.Unlock()
	b.failed = why
}

// Report is the healthy components, and for the others the reason. With live only what a restart may cure counts.
func (h *Health) Report(live bool) (healthy []string, unhealthy map[string]string) {
	h.lock.Lock()
	defer h.lock.Unlock()
	unhealthy = map[string]string{}
	healthy = []string{}
	for _, beat := range h.beats {
		silent := h.now().Sub(beat.last)
		switch {
		case silent > beat.limit:
			unhealthy[beat.name] = fmt.Sprintf("no sign of life for %s", silent.Round(time.Second))
		case beat.failed != "" && !(live && beat.lives):
			unhealthy[beat.name] = beat.failed
		case !beat.begun && !live:
			unhealthy[beat.name] = "has not begun"
		default:
			healthy = append(healthy, beat.name)
		}
	}
	sort.Strings(healthy)
	return healthy, unhealthy
}

// Handler answers 200 when every component is healthy, otherwise 500 with the reasons.
func (h *Health) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/live", "/ready", "/startup"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			healthy, unhealthy := h.Report(r.URL.Path == "/live")
			w.Header().Set("Content-Type", "application/json")
			if len(unhealthy) > 0 {
				w.WriteHeader(http.StatusInternalServerError)
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"healthy": healthy, "unhealthy": unhealthy})
		})
	}
	return mux
}

// Serve answers on the port until ctx ends. The error tells that the port is taken.
func Serve(ctx context.Context, port int, handler http.Handler) error {
	return ServeOn(ctx, ":"+strconv.Itoa(port), handler)
}

// ServeOn answers on the address host:port until ctx ends.
func ServeOn(ctx context.Context, address string, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
