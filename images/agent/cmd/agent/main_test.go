package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"agentstandin/internal/settings"
)

func TestCommands(t *testing.T) {
	for _, try := range []struct {
		arguments []string
		code      int
		out       string
	}{
		{[]string{"version"}, 0, "-standin"},
		{[]string{"hostname", "-c", "/etc/datadog-agent/datadog.yaml"}, 0, "node-1-meshproof"},
		{[]string{}, 2, "usage"},
		{[]string{"flare"}, 2, "usage"},
		{[]string{"status"}, 1, "does it run"},
	} {
		t.Setenv("DD_KUBERNETES_KUBELET_NODENAME", "node-1")
		t.Setenv("DD_CLUSTER_NAME", "meshproof")
		t.Setenv("DD_CMD_PORT", "1")
		var out bytes.Buffer
		if code := command(try.arguments, &out, &out); code != try.code || !strings.Contains(out.String(), try.out) {
			t.Errorf("%q: %d %s", try.arguments, code, out.String())
		}
	}
}

func TestABadEnvironmentIsToldAndEndsWith2(t *testing.T) {
	t.Setenv("DD_HEALTH_PORT", "many")
	var out bytes.Buffer
	if code := command([]string{"run"}, &out, &out); code != 2 || !strings.Contains(out.String(), `"many"`) {
		t.Error(code, out.String())
	}
	for _, missing := range []string{"DD_API_KEY", "DD_KUBERNETES_KUBELET_HOST"} {
		t.Setenv("DD_HEALTH_PORT", "")
		out.Reset()
		if code := command([]string{"run"}, &out, &out); code != 2 || !strings.Contains(out.String(), missing) {
			t.Error(code, out.String())
		}
		t.Setenv("DD_API_KEY", "the-secret-key")
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// shared is a buffer for several goroutines.
type shared struct {
	lock sync.Mutex
	text bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.text.Write(p)
}

func (s *shared) String() string {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.text.String()
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never came: " + what)
		}
	}
}

func get(address string) (int, string) {
	response, err := http.Get(address)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

const pod = `{"items": [{"metadata": {"name": "goapi-1", "namespace": "apps", "uid": "u1"},
	"spec": {"nodeName": "node-1", "containers": [{"name": "goapi", "image": "docker.io/meshproof/goapi:1.0.0"}]},
	"status": {"phase": "Running", "containerStatuses": [{"name": "goapi", "containerID": "containerd://01", "state": {"running": {}}}]}}]}`

func TestTheAgentFromStartToEnd(t *testing.T) {
	var paths sync.Map
	intake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != "{}" {
			paths.Store(r.URL.Path, r.Header.Clone())
		}
		w.WriteHeader(202)
	}))
	defer intake.Close()
	kubelet := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/pods" {
			io.WriteString(w, pod)
			return
		}
		io.WriteString(w, "{}")
	}))
	defer kubelet.Close()
	host, _ := url.Parse(kubelet.URL)
	folder := t.TempDir()
	logs := filepath.Join(folder, "pods", "apps_goapi-1_u1", "goapi")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(logs, "0.log"), []byte("2026-11-21T10:00:00Z stdout F hello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	health, page := freePort(t), freePort(t)
	for name, value := range map[string]string{
		"DD_API_KEY": "the-secret-key", "DD_DD_URL": intake.URL, "DD_LOGS_CONFIG_LOGS_DD_URL": intake.URL, "DD_PROCESS_CONFIG_PROCESS_DD_URL": intake.URL,
		"DD_KUBERNETES_KUBELET_HOST": host.Hostname(), "DD_KUBERNETES_HTTPS_KUBELET_PORT": host.Port(), "DD_KUBELET_TLS_VERIFY": "false",
		"DD_LOGS_ENABLED": "true", "DD_LOGS_CONFIG_CONTAINER_COLLECT_ALL": "true", "DD_LOGS_CONFIG_BATCH_WAIT": "0.05",
		"DD_LOGS_CONFIG_POD_LOGS_PATH": filepath.Join(folder, "pods"), "DD_LOGS_CONFIG_RUN_PATH": filepath.Join(folder, "run"),
		"DD_CONTAINER_EXCLUDE_LOGS": "name:(", "DD_HEALTH_PORT": fmt.Sprint(health), "DD_CMD_PORT": fmt.Sprint(page),
	} {
		t.Setenv(name, value)
	}
	s, err := settings.FromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	log := &shared{}
	ctx, stop := context.WithCancel(context.Background())
	code := make(chan int)
	go func() {
		code <- run(ctx, s, slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	}()
	until(t, "a log line at the intake", func() bool { _, ok := paths.Load("/api/v2/logs"); return ok })
	until(t, "metrics at the intake", func() bool { _, ok := paths.Load("/api/v2/series"); return ok })
	until(t, "readiness", func() bool { code, _ := get(fmt.Sprintf("http://127.0.0.1:%d/ready", health)); return code == 200 })
	_, status := get(fmt.Sprintf("http://127.0.0.1:%d/status", page))
	for _, part := range []string{`"hostname":"node-1"`, `"lines_sent":1`, `"because":"no filter matches"`, "eBPF", `"version":"7.84.1-standin"`} {
		if !strings.Contains(status, part) {
			t.Errorf("%s is not in %s", part, status)
		}
	}
	if _, filters := get(fmt.Sprintf("http://127.0.0.1:%d/workloadfilter", page)); !strings.Contains(filters, "bad regular expression") {
		t.Error(filters)
	}
	began := time.Now()
	stop()
	if got := <-code; got != 0 || time.Since(began) > endLimit {
		t.Errorf("ended with %d after %s", got, time.Since(began))
	}
	if strings.Contains(log.String()+status, "the-secret-key") {
		t.Error("the API key was shown")
	}
	if !strings.Contains(log.String(), "bad regular expression") {
		t.Error("the bad filter was not told")
	}
}
