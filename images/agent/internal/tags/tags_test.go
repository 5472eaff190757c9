package tags

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestParseImage(t *testing.T) {
	for reference, want := range map[string]Image{
		"docker.io/istio/proxyv2:1.31.0": {"docker.io/istio/proxyv2", "proxyv2", "1.31.0"},
		"istio/proxyv2":                  {"istio/proxyv2", "proxyv2", ""},
		"localhost:5000/x":               {"localhost:5000/x", "x", ""},
		"localhost:5000/x:2":             {"localhost:5000/x", "x", "2"},
		"nginx@sha256:01":                {"nginx", "nginx", ""},
		"nginx:1@sha256:01":              {"nginx", "nginx", "1"},
		"sha256:0123":                    {},
		"":                               {},
	} {
		if got := ParseImage(reference); got != want {
			t.Errorf("%s: %+v", reference, got)
		}
	}
}

func goapi() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "goapi-5d4f8c9b7-x2x4z", Namespace: "apps",
			Labels: map[string]string{
				"app": "goapi", "tags.datadoghq.com/env": "meshproof", "tags.datadoghq.com/service": "goapi",
				"tags.datadoghq.com/version": "v1", "app.kubernetes.io/part-of": "showcase",
			},
			Annotations:     map[string]string{"ad.datadoghq.com/tags": `{"team": ["mesh", "web"], "tier": 1}`},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "goapi-5d4f8c9b7"}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, QOSClass: "Burstable"},
	}
}

func TestTagsOfAContainer(t *testing.T) {
	container := corev1.Container{Name: "goapi", Image: "docker.io/meshproof/goapi:1.0.0", Env: []corev1.EnvVar{{Name: "DD_VERSION", Value: "v1"}}}
	got := Of(goapi(), container, "0123", "docker.io/meshproof/goapi@sha256:9", map[string]string{"app": "kube_app"})
	want := strings.Fields(`container_id:0123 container_name:goapi display_container_name:goapi_goapi-5d4f8c9b7-x2x4z
		env:meshproof image_id:docker.io/meshproof/goapi@sha256:9 image_name:docker.io/meshproof/goapi image_tag:1.0.0
		kube_app:goapi kube_app_part_of:showcase kube_container_name:goapi kube_deployment:goapi kube_namespace:apps
		kube_ownerref_kind:replicaset kube_ownerref_name:goapi-5d4f8c9b7 kube_qos:Burstable kube_replica_set:goapi-5d4f8c9b7
		pod_name:goapi-5d4f8c9b7-x2x4z pod_phase:running service:goapi short_image:goapi team:mesh team:web tier:1 version:v1`)
	if !slices.Equal(got, want) {
		t.Errorf("%v\nwanted\n%v", got, want)
	}
}

func TestTheSidecarHasThePodsServiceAndItsOwnImage(t *testing.T) {
	got := Of(goapi(), corev1.Container{Name: "istio-proxy", Image: "docker.io/istio/proxyv2:1"}, "", "", nil)
	if Service(got) != "goapi" || !slices.Contains(got, "short_image:proxyv2") {
		t.Error(got)
	}
}

func TestAContainersOwnLabel(t *testing.T) {
	pod := goapi()
	delete(pod.Labels, "tags.datadoghq.com/service")
	pod.Labels["tags.datadoghq.com/istio-proxy.service"] = "mesh"
	if got := Service(Of(pod, corev1.Container{Name: "istio-proxy"}, "", "", nil)); got != "mesh" {
		t.Error(got)
	}
	if got := Service(Of(pod, corev1.Container{Name: "goapi"}, "", "", nil)); got != "" {
		t.Error(got)
	}
}

func TestOwners(t *testing.T) {
	for replicaSet, want := range map[string]string{"goapi-5d4f8c9b7": "goapi", "my-api-12345": "my-api", "goapi": "", "goapi-blue": "", "a-by": ""} {
		if got := deploymentOf(replicaSet); got != want {
			t.Errorf("%s: %q", replicaSet, got)
		}
	}
	if cronJobOf("backup-28123456") != "backup" || cronJobOf("backup-1") != "" {
		t.Error("cron jobs")
	}
}
