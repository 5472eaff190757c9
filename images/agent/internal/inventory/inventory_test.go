package inventory

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"agentstandin/internal/settings"
	"agentstandin/internal/standin"
)

type pods []corev1.Pod

func (p pods) Pods(context.Context) ([]corev1.Pod, error) { return p, nil }

func TestTheKubeletsPodsNameTheHost(t *testing.T) {
	s, err := Named(t.Context(), settings.Settings{Hostname: "pod", ClusterName: "meshproof"}, pods{{}, {Spec: corev1.PodSpec{NodeName: "node-1"}}})
	if err != nil || s.NodeName != "node-1" || s.Hostname != "node-1-meshproof" {
		t.Error(err, s.Hostname)
	}
}

func TestAGivenNameStays(t *testing.T) {
	t.Setenv("DD_HOSTNAME", "mine")
	if s, _ := Named(t.Context(), settings.Settings{Hostname: "mine"}, pods{{Spec: corev1.PodSpec{NodeName: "node-1"}}}); s.Hostname != "mine" {
		t.Error(s.Hostname)
	}
}

func TestWithoutANodeTheNameStaysAndTheReasonIsTold(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := Named(ctx, settings.Settings{Hostname: "pod"}, pods{}); err == nil || s.Hostname != "pod" {
		t.Error(err, s.Hostname)
	}
}

func host(t *testing.T) machine {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{
		"sys/kernel/osrelease": "6.1.0-49-amd64\n", "meminfo": "MemTotal: 4096 kB\nSwapTotal: 8 kB\n",
		"cpuinfo": "processor\t: 0\nmodel name\t: Fast\nprocessor\t: 1\nmodel name\t: Fast\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return look(root)
}

func TestTheMachine(t *testing.T) {
	if seen := host(t); seen.cores != 2 || seen.processor != "Fast" || seen.memoryKB != 4096 || seen.swapKB != 8 || seen.release != "6.1.0-49-amd64" {
		t.Errorf("%+v", seen)
	}
}

func TestHostMetadata(t *testing.T) {
	s := settings.Settings{APIKey: "0123", Hostname: "node-1-meshproof", NodeName: "node-1", ClusterName: "meshproof"}
	made := hostMetadata(s, host(t))
	if made["internalHostname"] != "node-1-meshproof" || made["agentVersion"] != standin.Version || made["apiKey"] != "0123" {
		t.Errorf("%v", made)
	}
	tags := made["host-tags"].(map[string]any)["system"].([]string)
	if !slices.Contains(tags, "kube_node:node-1") || !slices.Contains(tags, "kube_cluster_name:meshproof") {
		t.Error(tags)
	}
	var inner map[string]map[string]string
	if err := json.Unmarshal([]byte(made["gohai"].(string)), &inner); err != nil || inner["platform"]["kernel_release"] != "6.1.0-49-amd64" || inner["memory"]["total"] != "4096kB" {
		t.Error(err, inner)
	}
}

func TestTheAgentsInventoryTellsThatItIsAStandInAndWhatItLeavesOut(t *testing.T) {
	text, err := json.Marshal(agentMetadata(settings.Settings{DDURL: "http://me:secret@intake"}, time.Now(), time.Now()))
	if err != nil || !strings.Contains(string(text), `"stand_in":true`) || !strings.Contains(string(text), `"npm"`) || strings.Contains(string(text), "secret@") {
		t.Error(err, string(text))
	}
}
