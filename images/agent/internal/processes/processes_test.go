package processes

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/DataDog/agent-payload/v5/process"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"agentstandin/internal/running"
)

func TestSecretsAmongArgumentsAreHidden(t *testing.T) {
	for given, want := range map[string]string{
		"app --password=x -v":             "app --password=******** -v",
		"app --db-password x y":           "app --db-password ******** y",
		"app api_key:x":                   "app api_key:********",
		"app --passwordless --secret -v":  "app --passwordless --secret -v",
		"curl http://intake:8080/secrets": "curl http://intake:8080/secrets",
	} {
		if got := strings.Join(scrubbed(strings.Fields(given)), " "); got != want {
			t.Errorf("%s: %s", given, got)
		}
	}
}

func TestARunningProcessIsSeen(t *testing.T) {
	command := exec.Command("sleep", "60")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = command.Process.Kill(); _ = command.Wait() }()
	found, err := (&watch{root: "/proc"}).processes(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(found, func(one *process.Process) bool { return int(one.Pid) == command.Process.Pid })
	if at < 0 {
		t.Fatal("it is missing")
	}
	if one := found[at]; int(one.Command.Ppid) != os.Getpid() || one.Cpu.NumThreads != 1 || one.CreateTime == 0 {
		t.Errorf("%+v", one)
	}
}

func TestAContainer(t *testing.T) {
	nanocores, rss := uint64(5e8), uint64(10)
	of := running.Container{
		Pod:    &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "goapi-1", Namespace: "apps"}},
		Spec:   corev1.Container{Name: "goapi", Image: "goapi:1", Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}}},
		Status: corev1.ContainerStatus{ContainerID: "containerd://01", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
	}
	made := container(of, &stats.ContainerStats{CPU: &stats.CPUStats{UsageNanoCores: &nanocores}, Memory: &stats.MemoryStats{RSSBytes: &rss}}, []string{"env:meshproof"})
	if made.Id != "01" || made.Type != "containerd" || made.MemoryLimit != 64<<20 || made.TotalPct != 50 || made.MemRss != 10 || !slices.Contains(made.Tags, "env:meshproof") {
		t.Errorf("%+v", made)
	}
}

func TestTheOperatorChooses(t *testing.T) {
	made, err := chosen(func(name string) (string, bool) { return "true", strings.Contains(name, "PROCESS_COLLECTION") })
	if err != nil || !made.containers || !made.processes {
		t.Error(err, made)
	}
	if made, _ := chosen(func(string) (string, bool) { return "", false }); made.processes || !made.containers {
		t.Error(made)
	}
	if _, err := chosen(func(string) (string, bool) { return "perhaps", true }); err == nil {
		t.Error("no error")
	}
}
