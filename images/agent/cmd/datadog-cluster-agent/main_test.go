package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/DataDog/agent-payload/v5/process"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"agentstandin/internal/cluster"
	"agentstandin/internal/serviceaccount/accounttest"
	"agentstandin/internal/settings"
	"agentstandin/internal/standin"
)

const key = "00112233445566778899aabbccddeeff"

// intake keeps bodies by path, unpacked.
type intake struct {
	lock sync.Mutex
	got  map[string][][]byte
}

func (i *intake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	content, _ := io.ReadAll(body)
	i.lock.Lock()
	defer i.lock.Unlock()
	i.got[r.URL.Path] = append(i.got[r.URL.Path], content)
	w.WriteHeader(http.StatusAccepted)
}

func (i *intake) has(path string) bool {
	i.lock.Lock()
	defer i.lock.Unlock()
	return len(i.got[path]) > 0
}

// apiServer has one namespace, one claim, the cluster agent's own pod and one event of a moment ahead.
func apiServer(t *testing.T) *cluster.Client {
	t.Helper()
	answers := map[string]any{
		"/api/v1/namespaces/kube-system":      corev1.Namespace{ObjectMeta: metav1.ObjectMeta{UID: "cluster-1"}},
		"/api/v1/namespaces/datadog/pods/dca": corev1.Pod{Spec: corev1.PodSpec{NodeName: "node-1"}},
		"/api/v1/persistentvolumeclaims": corev1.PersistentVolumeClaimList{Items: []corev1.PersistentVolumeClaim{{
			ObjectMeta: metav1.ObjectMeta{Name: "text-to-speech", Namespace: "apps", UID: "1"}, Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound}}}},
		"/api/v1/events": corev1.EventList{Items: []corev1.Event{{ObjectMeta: metav1.ObjectMeta{UID: "2"}, Reason: "BackOff",
			LastTimestamp: metav1.NewTime(time.Now().Add(time.Second)), InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "goapi-1", Namespace: "apps"}}}},
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		if !ok {
			answer = map[string]any{"items": []any{}}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	client, err := cluster.At(server.URL, accounttest.Folder(t, server, "t"))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestEventsObjectsAndChecksReachTheIntake(t *testing.T) {
	received := &intake{got: map[string][][]byte{}}
	server := httptest.NewServer(received)
	defer server.Close()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var logged bytes.Buffer
	s := settings.Settings{APIKey: key, DDURL: server.URL, OrchestratorURL: server.URL, ClusterName: "meshproof", Modelled: settings.DefaultVersion}
	done := make(chan int)
	api := apiServer(t)
	go func() {
		done <- work(ctx, s, api, parts{events: true, objects: true}, slog.New(slog.NewJSONHandler(&logged, nil)))
	}()
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if received.has("/intake/") && received.has("/api/v2/orch") && received.has("/api/v1/check_run") {
			break
		}
	}
	end()
	if code := <-done; code != 0 {
		t.Errorf("code %d", code)
	}
	if strings.Contains(logged.String(), key) {
		t.Error("the API key is in the log")
	}
	events := string(bytes.Join(received.got["/intake/"], nil))
	if !strings.Contains(events, `"kubernetes":[{"msg_title":"Events from the Pod apps/goapi-1"`) || !strings.Contains(events, "BackOff") {
		t.Error(events)
	}
	if checks := string(bytes.Join(received.got["/api/v1/check_run"], nil)); !strings.Contains(checks, standin.NotDone["npm"]) {
		t.Error(checks)
	}
	frames := received.got["/api/v2/orch"]
	if len(frames) == 0 {
		t.Fatal("no objects")
	}
	message, err := process.DecodeMessage(frames[0])
	if err != nil || message.Body.(*process.CollectorPersistentVolumeClaim).PersistentVolumeClaims[0].Status.Phase != "Bound" {
		t.Error(err, message)
	}
}

func TestItCallsItselfAsItsNode(t *testing.T) {
	t.Setenv("DD_POD_NAME", "dca")
	t.Setenv("DD_KUBE_RESOURCES_NAMESPACE", "datadog")
	s := named(t.Context(), settings.Settings{Hostname: "dca", ClusterName: "meshproof"}, apiServer(t), slog.New(slog.DiscardHandler))
	if s.Hostname != "node-1-meshproof" {
		t.Error(s.Hostname)
	}
}

func TestTheOperatorChooses(t *testing.T) {
	if made, err := chosen(func(string) (string, bool) { return "", false }); err != nil || made != (parts{events: false, objects: true}) {
		t.Error(made, err)
	}
	if _, err := chosen(func(string) (string, bool) { return "perhaps", true }); err == nil {
		t.Error("no error")
	}
}

func TestArguments(t *testing.T) {
	var out bytes.Buffer
	if code := command([]string{"version"}, &out); code != 0 || !strings.Contains(out.String(), standin.Version) {
		t.Error(code, out.String())
	}
	if code := command([]string{"dance"}, &out); code != 2 {
		t.Error(code)
	}
}

func TestOutsideOfAClusterItDoesNotStart(t *testing.T) {
	t.Setenv("DD_API_KEY", key)
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	var out bytes.Buffer
	if code := run(t.Context(), &out); code != 2 || !strings.Contains(out.String(), "KUBERNETES_SERVICE_HOST") || strings.Contains(out.String(), key) {
		t.Error(code, out.String())
	}
}
