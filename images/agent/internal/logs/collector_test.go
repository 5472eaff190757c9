package logs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func same(t *testing.T, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			got, want = got[i:min(len(got), i+10)], want[i:min(len(want), i+10)]
			break
		}
	}
	t.Errorf("arrived %q\nwanted  %q", got, want)
}

func TestALineArrivesWithEverythingThatBelongsToIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pod := w.pod("goapi-1", "goapi")
	pod.Labels = map[string]string{"tags.datadoghq.com/service": "goapi", "tags.datadoghq.com/env": "meshproof"}
	w.begin()
	path := w.log(pod, "goapi")
	w.write(path, `say "hello" <b>`, "2026-11-21T10:00:00Z stderr F broken")
	w.got(2)
	line := w.lines[0]
	if line.Message != `say "hello" <b>` || line.Status != "info" || line.Hostname != "node-1" || line.Service != "goapi" || line.DDSource != "goapi" {
		t.Errorf("%+v", line)
	}
	if time.Since(time.UnixMilli(line.Timestamp)) > time.Minute {
		t.Error(line.Timestamp)
	}
	tags := strings.Split(line.DDTags, ",")
	for _, tag := range []string{
		"kube_namespace:apps", "pod_name:goapi-1", "container_name:goapi", "container_id:id-goapi-0", "short_image:goapi", "image_tag:1.0.0",
		"kube_cluster_name:meshproof", "env:meshproof", "filename:0.log", "dirname:" + filepath.Dir(path), "pod_phase:running",
	} {
		if !slices.Contains(tags, tag) {
			t.Errorf("%s is not in %v", tag, tags)
		}
	}
	if w.lines[1].Status != "error" {
		t.Errorf("%+v", w.lines[1])
	}
	if w.headers.Get("DD-API-KEY") != "key" || !strings.HasSuffix(w.headers.Get("DD-EVP-ORIGIN-VERSION"), "-standin") || w.headers.Get("DD-PROTOCOL") != "agent-json" {
		t.Error(w.headers)
	}
}

func TestAnExcludedContainerStaysOutAndSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings.Lists.ExcludeLogs = []string{"name:^istio-proxy$"}
	pod := w.pod("goapi-1", "goapi", "istio-proxy")
	w.begin()
	w.write(w.log(pod, "istio-proxy"), "secret")
	w.write(w.log(pod, "goapi"), "sentinel")
	same(t, w.got(1), []string{"sentinel"})
	w.end()
	same(t, w.texts(), []string{"sentinel"})
	status := w.agent.Status()
	if len(status.Containers) != 2 || status.Containers[1].Included || !strings.Contains(status.Containers[1].Because, "name:^istio-proxy$") {
		t.Errorf("%+v", status)
	}
}

func TestWithoutCollectAllOnlyConfiguredContainersAreRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings.Logs.CollectAll = false
	pod := w.pod("goapi-1", "goapi", "other")
	pod.Annotations["ad.datadoghq.com/goapi.logs"] = `[{"source": "go", "service": "api", "tags": ["a:1"]}]`
	w.begin()
	w.write(w.log(pod, "other"), "not asked for")
	w.write(w.log(pod, "goapi"), "asked for")
	same(t, w.got(1), []string{"asked for"})
	if w.lines[0].DDSource != "go" || w.lines[0].Service != "api" || !strings.Contains(w.lines[0].DDTags, "a:1") {
		t.Errorf("%+v", w.lines[0])
	}
}

func TestAFileOfConfDNamesTheSourceByImage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := os.Mkdir(filepath.Join(w.settings.ConfDir, "istio.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := "ad_identifiers: [proxyv2]\nlogs:\n- source: istio\n  service: mesh\n  tags: a:1, b:2\n"
	if err := os.WriteFile(filepath.Join(w.settings.ConfDir, "istio.d", "conf.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	pod := w.pod("goapi-1", "proxyv2")
	w.begin()
	w.write(w.log(pod, "proxyv2"), "x")
	w.got(1)
	if w.lines[0].DDSource != "istio" || w.lines[0].Service != "mesh" || !strings.Contains(w.lines[0].DDTags, "a:1,b:2") {
		t.Errorf("%+v", w.lines[0])
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pod := w.pod("goapi-1", "goapi")
	pod.Annotations["ad.datadoghq.com/goapi.logs"] = `[{"log_processing_rules": [
		{"type": "multi_line", "name": "m", "pattern": "\\d{4}-"},
		{"type": "exclude_at_match", "name": "e", "pattern": "healthz"},
		{"type": "mask_sequences", "name": "k", "pattern": "key=\\w+", "replace_placeholder": "key=[masked]"}]}]`
	w.begin()
	w.write(w.log(pod, "goapi"),
		"2026-11-21T10:00:00Z stdout F 2026-01 panic key=abc", "  at a", "2026-11-21T10:00:00Z stderr F not of it", "  at b",
		"2026-11-21T10:00:00Z stdout F 2026-02 GET /healthz", "2026-11-21T10:00:00Z stdout F 2026-03 end")
	w.got(3) // the last message and that of stderr are out after a second
	got := w.texts()
	slices.Sort(got)
	same(t, got, []string{`2026-01 panic key=[masked]\n  at a\n  at b`, "2026-03 end", "not of it"})
}

func TestARestartedContainerHasItsOwnID(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	w.begin()
	w.write(path, "first")
	w.got(1)
	w.write(filepath.Join(filepath.Dir(path), "1.log"), "second")
	time.Sleep(50 * time.Millisecond)
	w.lock.Lock()
	status := &w.pods[0].Status.ContainerStatuses[0]
	status.RestartCount, status.ContainerID = 1, "containerd://id-goapi-1"
	status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ContainerID: "containerd://id-goapi-0"}
	w.lock.Unlock()
	w.got(2)
	if !strings.Contains(w.lines[0].DDTags, "container_id:id-goapi-0") || !strings.Contains(w.lines[1].DDTags, "container_id:id-goapi-1") || !strings.Contains(w.lines[1].DDTags, "filename:1.log") {
		t.Errorf("%+v", w.lines)
	}
}

func TestADeletedPodIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	w.begin()
	w.write(path, "first")
	w.got(1)
	w.write(path, numbered("last", 0, 500)...)
	w.lock.Lock()
	w.pods = nil
	w.lock.Unlock()
	if err := os.RemoveAll(filepath.Dir(filepath.Dir(path))); err != nil {
		t.Fatal(err)
	}
	same(t, w.got(501), append([]string{"first"}, numbered("last", 0, 500)...))
	w.until("the container is forgotten", func() bool { return len(w.agent.Status().Containers) == 0 })
	w.end()
	text, _ := os.ReadFile(filepath.Join(w.settings.Logs.RunPath, registryName))
	if strings.Contains(string(text), "goapi") {
		t.Error(string(text))
	}
}

func TestLongLines(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	w.begin()
	full := strings.Repeat("a", 64<<10)
	raw := strings.Repeat("b", 1_000_000) // longer than the limit, in one piece
	pieces := make([]string, 0, 70)
	for range 64 { // 1 MiB as a runtime writes it
		pieces = append(pieces, "2026-11-21T10:00:00Z stdout P "+strings.Repeat("c", 16<<10))
	}
	w.write(path, full, raw)
	w.write(path, pieces...)
	w.write(path, "2026-11-21T10:00:00Z stdout F end", "short")
	got := w.got(6)
	if got[0] != full {
		t.Errorf("64 KiB: %d bytes", len(got[0]))
	}
	if joined := strings.ReplaceAll(got[1]+got[2], truncated, ""); joined != raw || !strings.HasSuffix(got[1], truncated) || !strings.HasPrefix(got[2], truncated) {
		t.Errorf("1 MB in one piece became %d and %d bytes", len(got[1]), len(got[2]))
	}
	if joined := strings.ReplaceAll(got[3]+got[4], truncated, ""); len(joined) != 1<<20+3 || !strings.HasSuffix(got[3], truncated) || !strings.HasPrefix(got[4], truncated) {
		t.Errorf("1 MiB in pieces became %d and %d bytes", len(got[3]), len(got[4]))
	}
	if got[5] != "short" {
		t.Error(got[5])
	}
	w.end()
	w.begin()
	w.write(path, "after")
	if got := w.got(7); got[6] != "after" {
		t.Errorf("%.100s", got[6])
	}
}

func TestWhatIsNotCRIIsSentAsItIs(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	w.begin()
	w.write(path, "2026-not CRI \xff", "good")
	same(t, w.got(2), []string{"2026-not CRI \uFFFD", "good"})
	if status := w.agent.Status().Containers[0]; status.NotCRI != 1 || status.LinesRead != 2 {
		t.Errorf("%+v", status)
	}
}
