package logs

import (
	"maps"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestEachRunHasItsContainersID(t *testing.T) {
	status := corev1.ContainerStatus{Name: "goapi", RestartCount: 3, ContainerID: "containerd://c3"}
	status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ContainerID: "containerd://c2"}
	if got := (member{status: &status}).ids(); !maps.Equal(got, map[int]string{3: "c3", 2: "c2"}) {
		t.Error(got)
	}
	if got := (member{status: &corev1.ContainerStatus{}}).ids(); len(got) != 0 {
		t.Error(got)
	}
}

func TestContainersOfEveryKindAreFound(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		InitContainers:      []corev1.Container{{Name: "istio-init"}},
		Containers:          []corev1.Container{{Name: "goapi"}},
		EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "busybox"}}},
	}}
	pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "istio-init", ContainerID: "containerd://i"}}
	pod.Status.InitContainerStatuses[0].State.Terminated = &corev1.ContainerStateTerminated{FinishedAt: metav1.NewTime(time.Unix(1000, 0))}
	for _, name := range []string{"istio-init", "goapi", "debug"} {
		if _, ok := findMember(pod, name); !ok {
			t.Error(name)
		}
	}
	if _, ok := findMember(pod, "other"); ok {
		t.Error("found what is not there")
	}
	m, _ := findMember(pod, "istio-init")
	if stopped, since := m.stopped(time.Unix(1060, 0)); !stopped || since != time.Minute || m.ids()[0] != "i" {
		t.Error(stopped, since, m.ids())
	}
}
