package metrics

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"agentstandin/internal/filter"
	"agentstandin/internal/kubelet"
	"agentstandin/internal/settings"
	"agentstandin/internal/wire"
)

var began = time.Unix(1_800_000_000, 0)

func pod() corev1.Pod {
	started := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(began.Add(-time.Minute))}}
	limits := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "goapi-5d4f8c9b7-x2x4z", Namespace: "apps"},
		Spec: corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{
			{Name: "goapi", Image: "goapi:1", Resources: corev1.ResourceRequirements{Limits: limits}}, {Name: "istio-proxy", Image: "proxyv2:1"}, {Name: "crashing", Image: "x:1"},
		}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{
			{Name: "goapi", ContainerID: "containerd://01", State: started}, {Name: "istio-proxy", ContainerID: "containerd://02", State: started},
			{Name: "crashing", RestartCount: 4, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}},
		}},
	}
}

func number(value uint64) *uint64 { return &value }

func summary(at time.Time, received uint64) stats.Summary {
	container := func(name string) stats.ContainerStats {
		return stats.ContainerStats{Name: name, CPU: &stats.CPUStats{UsageNanoCores: number(5e6)},
			Memory: &stats.MemoryStats{UsageBytes: number(30), WorkingSetBytes: number(20), RSSBytes: number(10)}}
	}
	return stats.Summary{
		Node: stats.NodeStats{Fs: &stats.FsStats{CapacityBytes: number(4096), AvailableBytes: number(1024)}},
		Pods: []stats.PodStats{{
			PodRef:     stats.PodReference{Namespace: "apps", Name: "goapi-5d4f8c9b7-x2x4z"},
			Containers: []stats.ContainerStats{container("goapi"), container("istio-proxy")},
			Network:    &stats.NetworkStats{Time: metav1.NewTime(at), InterfaceStats: stats.InterfaceStats{Name: "eth0", RxBytes: number(received)}},
			VolumeStats: []stats.VolumeStats{{Name: "library", PVCRef: &stats.PVCReference{Name: "text-to-speech", Namespace: "apps"},
				FsStats: stats.FsStats{UsedBytes: number(7), CapacityBytes: number(100)}}},
		}},
	}
}

// asking makes a node with a kubelet that answers with the pod above, its statistics at the times of the questions.
func asking(t *testing.T, lists settings.Lists, times ...time.Time) *node {
	t.Helper()
	asked := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/pods" {
			_ = json.NewEncoder(w).Encode(corev1.PodList{Items: []corev1.Pod{pod()}})
			return
		}
		_ = json.NewEncoder(w).Encode(summary(times[asked], uint64(1000*(asked+1))))
		asked++
	}))
	t.Cleanup(server.Close)
	address, _ := url.Parse(server.URL)
	port, _ := strconv.Atoi(address.Port())
	s := settings.Settings{Hostname: "node-1", ClusterName: "meshproof", Lists: lists, Modelled: settings.DefaultVersion, Kubelet: settings.Kubelet{Host: address.Hostname(), Port: port}}
	s.Kubelet.TLSVerify = false // as DD_KUBELET_TLS_VERIFY says in kind
	client, err := kubelet.New(s)
	if err != nil {
		t.Fatal(err)
	}
	chosen, _ := filter.New(lists, settings.DefaultVersion)
	return &node{settings: s, filter: chosen, kubelet: client, host: host{proc: proc(t)}, log: slog.New(slog.DiscardHandler)}
}

func proc(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{
		"loadavg": "1.50 0.50 0.25 1/100 1\n", "uptime": "61.5 100.0\n",
		"meminfo":   "MemTotal: 4096 kB\nMemFree: 1024 kB\nMemAvailable: 2048 kB\n",
		"stat":      "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 50 0 50 400 0 0 0 0 0 0\ncpu1 50 0 50 400 0 0 0 0 0 0\n",
		"1/net/dev": "Inter-|\n face |\n    lo: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n  eth0: 1000 0 0 0 0 0 0 0 500 0 0 0 0 0 0 0\n",
	} {
		write(t, root, name, content)
	}
	return root
}

func write(t *testing.T, root, name, content string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// of are the values of a metric whose tags include all of those given.
func of(points []wire.Point, metric string, tags ...string) []float64 {
	var values []float64
	for _, point := range points {
		if point.Metric == metric && !slices.ContainsFunc(tags, func(tag string) bool { return !slices.Contains(point.Tags, tag) }) {
			values = append(values, point.Value)
		}
	}
	return values
}

func want(t *testing.T, points []wire.Point, value float64, metric string, tags ...string) {
	t.Helper()
	if got := of(points, metric, tags...); len(got) != 1 || got[0] != value {
		t.Errorf("%s %v: %v, wanted %v", metric, tags, got, value)
	}
}

func TestContainersAndPods(t *testing.T) {
	points := asking(t, settings.Lists{}, began).points(t.Context(), began)
	want(t, points, 5e6, "kubernetes.cpu.usage.total", "kube_container_name:goapi", "pod_name:goapi-5d4f8c9b7-x2x4z", "kube_namespace:apps", "kube_cluster_name:meshproof")
	want(t, points, 20, "kubernetes.memory.working_set", "container_id:01")
	want(t, points, 10, "container.memory.rss", "container_id:01", "runtime:containerd")
	want(t, points, 5e8, "container.cpu.limit", "container_id:01")
	want(t, points, 0.5, "kubernetes.cpu.limits", "container_id:01")
	want(t, points, 60, "container.uptime", "container_id:01")
	want(t, points, 1, "kubernetes.pods.running", "kube_namespace:apps")
	want(t, points, 1, "kubernetes.containers.running", "kube_container_name:istio-proxy")
	want(t, points, 4, "kubernetes.containers.restarts", "kube_container_name:crashing")
	want(t, points, 1, "kubernetes.containers.state.waiting", "reason:crashloopbackoff")
	want(t, points, 7, "kubernetes.kubelet.volume.stats.used_bytes", "persistentvolumeclaim:text-to-speech")
	want(t, points, 1, "datadog.agent.running")
	want(t, points, 0.75, "system.disk.in_use")
}

func TestCountsOfPodsGoWithoutTheirNames(t *testing.T) {
	points := asking(t, settings.Lists{}, began).points(t.Context(), began)
	for _, point := range points {
		if strings.HasSuffix(point.Metric, "s.running") && slices.ContainsFunc(point.Tags, func(tag string) bool { return strings.HasPrefix(tag, "pod_name:") }) {
			t.Error(point)
		}
	}
}

func TestExcludedContainersHaveNoMetrics(t *testing.T) {
	lists := settings.Lists{ExcludeMetrics: []string{"name:^istio-proxy$"}}
	points := asking(t, lists, began).points(t.Context(), began)
	for _, point := range points {
		if slices.Contains(point.Tags, "kube_container_name:istio-proxy") {
			t.Error(point)
		}
	}
	want(t, points, 5e6, "kubernetes.cpu.usage.total", "kube_container_name:goapi")
}

func TestNetworkCountersBecomeRates(t *testing.T) {
	later := began.Add(10 * time.Second)
	node := asking(t, settings.Lists{}, began, later)
	if first := of(node.points(t.Context(), began), "kubernetes.network.rx_bytes"); len(first) != 0 {
		t.Error(first)
	}
	write(t, node.host.proc, "1/net/dev", "h\nh\n eth0: 3000 0 0 0 0 0 0 0 500 0 0 0 0 0 0 0\n")
	write(t, node.host.proc, "stat", "cpu  150 0 100 850 0 0 0 0 0 0\ncpu0 0\n")
	points := node.points(t.Context(), later)
	want(t, points, 100, "kubernetes.network.rx_bytes", "interface:eth0", "kube_namespace:apps")
	want(t, points, 200, "system.net.bytes_rcvd", "device_name:eth0")
	want(t, points, 50, "system.cpu.user")
	want(t, points, 50, "system.cpu.idle")
}

func TestTheHost(t *testing.T) {
	points := asking(t, settings.Lists{}, began).points(t.Context(), began)
	want(t, points, 1.5, "system.load.1")
	want(t, points, 4, "system.mem.total")
	want(t, points, 0.5, "system.mem.pct_usable")
	want(t, points, 61.5, "system.uptime")
	want(t, points, 2, "system.cpu.num_cores")
}

func TestACounterThatWentBackIsNoRate(t *testing.T) {
	var c counters
	c.rate("a", 10, began)
	if rate, ok := c.rate("a", 5, began.Add(time.Second)); ok {
		t.Error(rate)
	}
	if rate, ok := c.rate("a", 6, began.Add(2*time.Second)); !ok || rate != 1 {
		t.Error(rate, ok)
	}
}

func TestWithoutKubeletTheHostIsStillMeasured(t *testing.T) {
	node := asking(t, settings.Lists{}, began)
	client, err := kubelet.New(settings.Settings{Kubelet: settings.Kubelet{Host: "127.0.0.1", Port: 1}})
	if err != nil {
		t.Fatal(err)
	}
	node.kubelet = client
	want(t, node.points(t.Context(), began), 1.5, "system.load.1")
}

func TestInterval(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 15 * time.Second, "2": 2 * time.Second} {
		if got, err := Interval(func(string) (string, bool) { return text, true }); err != nil || got != want {
			t.Error(text, got, err)
		}
	}
	if _, err := Interval(func(string) (string, bool) { return "often", true }); err == nil {
		t.Error("no error")
	}
}
