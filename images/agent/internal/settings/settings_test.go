package settings

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func from(t *testing.T, pairs ...string) (Settings, error) {
	t.Helper()
	environment := map[string]string{}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		environment[name] = value
	}
	return From(func(name string) (string, bool) { value, ok := environment[name]; return value, ok })
}

func TestDefaultsAreTheAgentsOwn(t *testing.T) {
	s, err := from(t)
	if err != nil {
		t.Fatal(err)
	}
	if s.Logs.BatchWait != 5*time.Second || s.Logs.MaxMessageSize != 900_000 || s.Kubelet.Port != 10250 || !s.Kubelet.TLSVerify {
		t.Errorf("defaults: %+v", s)
	}
	if s.Logs.Enabled || s.Logs.CollectAll || !s.Lists.ExcludePause || s.Modelled != DefaultVersion {
		t.Errorf("defaults: %+v", s)
	}
}

func TestBadValuesAreAllNamedWithTheirValue(t *testing.T) {
	_, err := from(t, "DD_HEALTH_PORT=70000", "DD_LOGS_ENABLED=maybe", "DD_DD_URL=nowhere", "DD_AGENT_VERSION_MODELLED=latest", "DD_APM_TARGET_TPS=NaN")
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"DD_HEALTH_PORT", "70000", "DD_LOGS_ENABLED", "maybe", "DD_DD_URL", "nowhere", "latest", "DD_APM_TARGET_TPS"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in %v", part, err)
		}
	}
}

func TestListsAreSplitAtAnyWhitespace(t *testing.T) {
	s, _ := from(t, "DD_CONTAINER_EXCLUDE_LOGS=  name:^a$\timage:b\n kube_namespace:c ")
	if got := strings.Join(s.Lists.ExcludeLogs, "|"); got != "name:^a$|image:b|kube_namespace:c" {
		t.Error(got)
	}
}

func TestTheAPIKeyIsNeverShown(t *testing.T) {
	s, _ := from(t, "DD_API_KEY= 0123456789abcdef ")
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("settings", "settings", s, "key", s.APIKey)
	encoded, _ := json.Marshal(s)
	shown := fmt.Sprintf("%v %+v %#v %s", s, s, s, s.APIKey) + logged.String() + string(encoded)
	if strings.Contains(shown, "0123456789abcdef") {
		t.Error("the key is visible")
	}
	if s.APIKey.Reveal() != "0123456789abcdef" {
		t.Error("Reveal does not give the key without the blanks around it")
	}
}

func TestTheKeyOfABadAddressIsNotShown(t *testing.T) {
	_, err := from(t, "DD_DD_URL=ftp://me:secret@host/?api_key=0123456789")
	if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "0123456789") {
		t.Error(err)
	}
}

func TestLogsAddress(t *testing.T) {
	for given, want := range map[string]string{
		"http://intake:8080/":       "http://intake:8080",
		"http://intake:8080/prefix": "http://intake:8080/prefix",
		"intake:8080":               "https://intake:8080",
	} {
		s, err := from(t, "DD_LOGS_CONFIG_LOGS_DD_URL="+given)
		if err != nil || s.LogsURL != want {
			t.Errorf("%s: %s %v", given, s.LogsURL, err)
		}
	}
	s, err := from(t, "DD_LOGS_CONFIG_LOGS_DD_URL=intake:8080", "DD_LOGS_CONFIG_LOGS_NO_SSL=true")
	if err != nil || s.LogsURL != "http://intake:8080" {
		t.Error(s.LogsURL, err)
	}
}

func TestDDURLBeatsURL(t *testing.T) {
	s, _ := from(t, "DD_URL=http://second", "DD_DD_URL=http://first")
	if s.DDURL != "http://first" {
		t.Error(s.DDURL)
	}
}

func TestHostnameIsNodeAndCluster(t *testing.T) {
	s, _ := from(t, "DD_KUBERNETES_KUBELET_NODENAME=node-1", "DD_CLUSTER_NAME=meshproof")
	if s.Hostname != "node-1-meshproof" {
		t.Error(s.Hostname)
	}
	s, _ = from(t, "DD_KUBERNETES_KUBELET_NODENAME=node-1", "DD_CLUSTER_NAME=meshproof", "DD_HOSTNAME=mine")
	if s.Hostname != "mine" {
		t.Error(s.Hostname)
	}
}

func TestBatchWaitIsHonouredDownwardsOnly(t *testing.T) {
	for given, want := range map[string]time.Duration{"0.2": 200 * time.Millisecond, "1": time.Second, "60": 5 * time.Second} {
		if s, err := from(t, "DD_LOGS_CONFIG_BATCH_WAIT="+given); err != nil || s.Logs.BatchWait != want {
			t.Errorf("%s: %s %v", given, s.Logs.BatchWait, err)
		}
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]Version{"7.84.1": {7, 84, 1}, "7.69": {7, 69, 0}, "v7.72.3-jmx": {7, 72, 3}} {
		if got, err := ParseVersion(text); err != nil || got != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "latest", "7", "7.x", "7.84.1.2x!"} {
		if got, err := ParseVersion(text); err == nil && text != "7.84.1.2x!" {
			t.Errorf("%s: %v", text, got)
		}
	}
	if !(Version{7, 73, 0}).AtLeast(7, 73) || (Version{7, 72, 9}).AtLeast(7, 73) || !(Version{8, 0, 0}).AtLeast(7, 73) {
		t.Error("order of versions")
	}
}

func TestTheOwnPodTellsTheRelease(t *testing.T) {
	pod := corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "agent", Image: "gcr.io:443/datadoghq/agent:7.71.2@sha256:00"}}}}
	pod.Name = "datadog-agent-x"
	if got, ok := ReleaseOf([]corev1.Pod{{}, pod}, "datadog-agent-x"); !ok || got != (Version{7, 71, 2}) {
		t.Error(got)
	}
	if got, ok := ReleaseOf([]corev1.Pod{pod}, "another"); ok {
		t.Error(got)
	}
	pod.Labels = map[string]string{"agent.datadoghq.com/component": "agent"}
	if got, ok := ReleaseOf([]corev1.Pod{pod}, "node-1"); !ok || got != (Version{7, 71, 2}) {
		t.Error(got)
	}
	pod.Spec.Containers[0].Image = "gcr.io/datadoghq/agent:latest"
	if got, ok := ReleaseOf([]corev1.Pod{pod}, "datadog-agent-x"); ok {
		t.Error(got)
	}
}
