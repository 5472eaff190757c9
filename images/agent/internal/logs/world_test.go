package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"agentstandin/internal/deliver"
	"agentstandin/internal/filter"
	"agentstandin/internal/health"
	"agentstandin/internal/kubelet"
	"agentstandin/internal/settings"
)

// arrived is one line as the intake sees it.
type arrived struct {
	Message, Status, Hostname, Service, DDSource, DDTags string
	Timestamp                                            int64
}

// world is a node: its log folder, its kubelet, and an intake, all real but small.
type world struct {
	t        *testing.T
	settings settings.Settings

	lock     sync.Mutex
	pods     []corev1.Pod
	lines    []arrived
	headers  http.Header
	requests int
	settled  time.Duration
	answer   func(request int) int // status; 0 is 202
	busy     atomic.Int64          // requests that are being answered

	stop  context.CancelFunc
	ended chan struct{}
	agent *Collector
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, settled: 10 * time.Millisecond}
	intake := httptest.NewServer(http.HandlerFunc(w.intake))
	kubelet := httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		w.lock.Lock()
		defer w.lock.Unlock()
		_ = json.NewEncoder(out).Encode(corev1.PodList{Items: w.pods})
	}))
	t.Cleanup(intake.Close)
	t.Cleanup(kubelet.Close)
	folder := t.TempDir()
	t.Cleanup(w.end) // before the folder is removed
	address, _ := url.Parse(kubelet.URL)
	port, _ := strconv.Atoi(address.Port())
	w.settings = settings.Settings{
		APIKey: "key", LogsURL: intake.URL, Hostname: "node-1", ClusterName: "meshproof", Modelled: settings.DefaultVersion,
		Kubelet: settings.Kubelet{Host: address.Hostname(), Port: port},
		Logs: settings.Logs{
			Enabled: true, CollectAll: true, PodsPath: filepath.Join(folder, "pods"), RunPath: filepath.Join(folder, "run"),
			BatchWait: 20 * time.Millisecond, BatchLines: 1000, MaxMessageSize: 900_000, UseCompression: true,
		},
		ConfDir: filepath.Join(folder, "conf.d"),
	}
	for _, path := range []string{w.settings.Logs.PodsPath, w.settings.ConfDir} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// newGoapi is a node with one pod of goapi, and the file that its container logs to.
func newGoapi(t *testing.T) (w *world, path string) {
	t.Helper()
	w = newWorld(t)
	return w, w.log(w.pod("goapi-1", "goapi"), "goapi")
}

func (w *world) intake(out http.ResponseWriter, r *http.Request) {
	w.busy.Add(1)
	defer w.busy.Add(-1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the agent ended meanwhile
	}
	if r.Header.Get("Content-Encoding") == "zstd" {
		decoder, _ := zstd.NewReader(nil)
		body, err = decoder.DecodeAll(body, nil)
		decoder.Close()
	}
	if err != nil {
		w.t.Error(err)
	}
	if string(body) == "{}" {
		return
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.requests++
	if w.answer != nil {
		if status := w.answer(w.requests); status != 0 {
			out.WriteHeader(status)
			return
		}
	}
	var lines []arrived
	if err := json.Unmarshal(body, &lines); err != nil {
		w.t.Errorf("%s: %.200s", err, body)
	}
	w.lines = append(w.lines, lines...)
	w.headers = r.Header
	out.WriteHeader(202)
}

// begin starts an agent; end stops it as SIGTERM does.
func (w *world) begin() {
	w.t.Helper()
	pods, err := kubelet.New(w.settings)
	if err != nil {
		w.t.Fatal(err)
	}
	chosen, problems := filter.New(w.settings.Lists, w.settings.Modelled)
	if len(problems) > 0 {
		w.t.Fatal(problems)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	w.agent, err = New(w.settings, chosen, pods, deliver.New(w.settings, nil), health.New().Watch("logs", time.Minute), log)
	if err != nil {
		w.t.Fatal(err)
	}
	w.agent.pace = pace{look: 5 * time.Millisecond, read: 2 * time.Millisecond, settled: w.settled, pods: 20 * time.Millisecond, haste: 10 * time.Millisecond}
	w.agent.pipeline.lastWords = 200 * time.Millisecond
	w.agent.pipeline.backoff = &deliver.Backoff{Base: time.Millisecond, Most: 10 * time.Millisecond}
	ctx, stop := context.WithCancel(context.Background())
	w.stop, w.ended = stop, make(chan struct{})
	go func() {
		defer close(w.ended)
		if err := w.agent.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
}

func (w *world) end() {
	if w.stop != nil {
		w.stop()
		<-w.ended
		w.stop = nil
	}
}

// pod adds a pod with one running container of each name and makes their log folders.
func (w *world) pod(name string, containers ...string) *corev1.Pod {
	pod := corev1.Pod{}
	pod.Name, pod.Namespace, pod.UID = name, "apps", types.UID("uid-"+name)
	pod.Annotations = map[string]string{}
	pod.Status.Phase = corev1.PodRunning
	for _, container := range containers {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: container, Image: "docker.io/meshproof/" + container + ":1.0.0"})
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{Name: container, ContainerID: "containerd://id-" + container + "-0"})
		if err := os.MkdirAll(w.folder(&pod, container), 0o755); err != nil {
			w.t.Fatal(err)
		}
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.pods = append(w.pods, pod)
	return &w.pods[len(w.pods)-1]
}

func (w *world) folder(pod *corev1.Pod, container string) string {
	return filepath.Join(w.settings.Logs.PodsPath, fmt.Sprintf("%s_%s_%s", pod.Namespace, pod.Name, pod.UID), container)
}

// log is the file that the container's first run logs to.
func (w *world) log(pod *corev1.Pod, container string) string {
	return filepath.Join(w.folder(pod, container), "0.log")
}

// write appends CRI lines to a file.
func (w *world) write(path string, lines ...string) {
	w.t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		w.t.Fatal(err)
	}
	defer file.Close()
	for _, line := range lines {
		if !strings.HasPrefix(line, "2026-") {
			line = "2026-11-21T10:00:00.5Z stdout F " + line
		}
		if _, err := file.WriteString(line + "\n"); err != nil {
			w.t.Fatal(err)
		}
	}
}

// got waits until at least that many lines have arrived and returns their texts.
func (w *world) got(count int) []string {
	w.t.Helper()
	w.until(fmt.Sprintf("%d lines", count), func() bool { w.lock.Lock(); defer w.lock.Unlock(); return len(w.lines) >= count })
	return w.texts()
}

func (w *world) texts() []string {
	w.lock.Lock()
	defer w.lock.Unlock()
	texts := []string{}
	for _, line := range w.lines {
		texts = append(texts, line.Message)
	}
	return texts
}

func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			texts := w.texts()
			w.t.Fatalf("never came: %s; %d lines arrived, at last %q", what, len(texts), texts[max(0, len(texts)-10):])
		}
	}
}

func (w *world) rename(from, to string) {
	w.t.Helper()
	if err := os.Rename(from, to); err != nil {
		w.t.Fatal(err)
	}
}

func numbered(prefix string, from, to int) []string {
	var lines []string
	for i := from; i < to; i++ {
		lines = append(lines, fmt.Sprintf("%s %d", prefix, i))
	}
	return lines
}
