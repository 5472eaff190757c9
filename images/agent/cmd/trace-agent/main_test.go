package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	pb "github.com/DataDog/datadog-agent/pkg/proto/pbgo/trace"
	"github.com/DataDog/datadog-agent/pkg/proto/pbgo/trace/idx"
	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"agentstandin/internal/standin"
)

const (
	key       = "00112233445566778899aabbccddeeff"
	container = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// TestMain lets this test program be the trace-agent.
func TestMain(m *testing.M) {
	if os.Getenv("BE_TRACE_AGENT") != "" {
		os.Unsetenv("BE_TRACE_AGENT")
		main()
	}
	os.Exit(m.Run())
}

// intake keeps what it is sent, by path.
type intake struct {
	lock sync.Mutex
	got  map[string][][]byte
	keys []string
}

func (i *intake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reader, err := gzip.NewReader(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body, _ := io.ReadAll(reader)
	i.lock.Lock()
	defer i.lock.Unlock()
	i.got[r.URL.Path] = append(i.got[r.URL.Path], body)
	i.keys = append(i.keys, r.Header.Get("DD-Api-Key"))
	w.WriteHeader(http.StatusAccepted)
}

func (i *intake) payload(t *testing.T, path string) []byte {
	t.Helper()
	i.lock.Lock()
	defer i.lock.Unlock()
	if len(i.got[path]) == 0 {
		t.Fatalf("nothing was sent to %s", path)
	}
	return i.got[path][0]
}

func fakeKubelet(t *testing.T) *url.URL {
	t.Helper()
	pods := corev1.PodList{Items: []corev1.Pod{{
		ObjectMeta: metav1.ObjectMeta{Name: "goapi-5d4f8c9b7-x2x4z", Namespace: "apps", UID: "u-1"},
		Spec:       corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "goapi", Image: "docker.io/meshproof/goapi:1.0.0"}}},
		Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "goapi", ContainerID: "containerd://" + container}}},
	}}}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(pods) }))
	t.Cleanup(server.Close)
	address, _ := url.Parse(server.URL)
	return address
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

type started struct {
	*exec.Cmd
	address string
	env     []string
	out     *bytes.Buffer
}

func start(t *testing.T, intake string, more ...string) *started {
	t.Helper()
	asked, port := fakeKubelet(t), freePort(t)
	command := exec.Command(os.Args[0], "--config=/etc/datadog-agent/datadog.yaml")
	command.Env = append([]string{
		"BE_TRACE_AGENT=1", "DD_API_KEY=" + key, "DD_APM_DD_URL=" + intake, "DD_ENV=meshproof", "DD_CLUSTER_NAME=meshproof", "DD_TAGS=team:mesh",
		"DD_APM_RECEIVER_PORT=" + port, "DD_APM_DEBUG_PORT=" + freePort(t), "DD_APM_TELEMETRY_ENABLED=false",
		"DD_KUBERNETES_KUBELET_HOST=" + asked.Hostname(), "DD_KUBERNETES_HTTPS_KUBELET_PORT=" + asked.Port(), "DD_KUBELET_TLS_VERIFY=false",
	}, more...)
	out := &bytes.Buffer{}
	command.Stdout, command.Stderr = out, out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	agent := &started{command, "http://127.0.0.1:" + port, command.Env, out}
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if answer, err := http.Get(agent.address + "/info"); err == nil {
			answer.Body.Close()
			return agent
		}
	}
	t.Fatal("the trace-agent does not answer")
	return nil
}

func (s *started) send(t *testing.T, headers ...string) {
	t.Helper()
	span := &pb.Span{
		Service: "goapi.apps", Name: "envoy.proxy", Resource: "goapi.apps.svc:80/*", Type: "web", TraceID: 7, SpanID: 8,
		Start: time.Now().Add(-time.Second).UnixNano(), Duration: 1e6, Meta: map[string]string{"http.status_code": "200"},
		Metrics: map[string]float64{"_sampling_priority_v1": 1, "_top_level": 1},
	}
	body, err := pb.Traces{pb.Trace{span}}.MarshalMsg(nil)
	if err != nil {
		t.Fatal(err)
	}
	request, _ := http.NewRequest(http.MethodPost, s.address+"/v0.4/traces", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/msgpack")
	request.Header.Set("X-Datadog-Trace-Count", "1")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, "=")
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if told, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK || !strings.Contains(string(told), "rate_by_service") {
		t.Fatalf("%d %s", answer.StatusCode, told)
	}
}

func (s *started) end(t *testing.T) {
	t.Helper()
	_ = s.Process.Signal(syscall.SIGTERM)
	if err := s.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, s.out)
	}
	if strings.Contains(s.out.String(), key) {
		t.Error("the API key is in the log")
	}
}

func listening(t *testing.T) (*intake, string) {
	t.Helper()
	received := &intake{got: map[string][][]byte{}}
	server := httptest.NewServer(received)
	t.Cleanup(server.Close)
	return received, server.URL
}

func sent(t *testing.T, received *intake) *pb.AgentPayload {
	t.Helper()
	payload := &pb.AgentPayload{}
	if err := proto.Unmarshal(received.payload(t, "/api/v0.2/traces"), payload); err != nil {
		t.Fatal(err)
	}
	return payload
}

func TestSpansGoAsStringTablesWithContainerTags(t *testing.T) {
	received, address := listening(t)
	agent := start(t, address)
	agent.send(t, "Datadog-Container-ID="+container)
	agent.end(t)
	payload := sent(t, received)
	if payload.HostName != "node-1-meshproof" || payload.Env != "meshproof" || payload.AgentVersion != standin.Version {
		t.Errorf("%s %s %s", payload.HostName, payload.Env, payload.AgentVersion)
	}
	if len(payload.TracerPayloads) != 0 || len(payload.IdxTracerPayloads) != 1 {
		t.Fatal("field 11 and nothing else is expected")
	}
	strings := payload.IdxTracerPayloads[0].Strings
	for _, want := range []string{"goapi.apps", "envoy.proxy", "_dd.tags.container", "team", "mesh"} {
		if !slices.Contains(strings, want) {
			t.Errorf("%q is missing in %q", want, strings)
		}
	}
	if tags := containerTags(payload.IdxTracerPayloads[0]); !slices.Contains(tags, "kube_namespace:apps") || !slices.Contains(tags, "container_id:"+container) {
		t.Errorf("container tags: %q", tags)
	}
	if len(received.keys) == 0 || slices.ContainsFunc(received.keys, func(sent string) bool { return sent != key }) {
		t.Error("a request came without the key")
	}
}

func containerTags(payload *idx.TracerPayload) []string {
	for name, value := range payload.Attributes {
		if payload.Strings[name] == "_dd.tags.container" {
			return strings.Split(payload.Strings[value.GetStringValueRef()], ",")
		}
	}
	return nil
}

func TestTheOptOutGivesTheOldForm(t *testing.T) {
	received, address := listening(t)
	agent := start(t, address, "DD_APM_FEATURES=disable-convert-traces")
	agent.send(t, "Datadog-External-Env=it-false,cn-goapi,pu-u-1")
	agent.end(t)
	payload := sent(t, received)
	if len(payload.IdxTracerPayloads) != 0 || len(payload.TracerPayloads) != 1 {
		t.Fatal("field 5 and nothing else is expected")
	}
	tracer := payload.TracerPayloads[0]
	if tracer.ContainerID != container || !strings.Contains(tracer.Tags["_dd.tags.container"], "pod_name:goapi-5d4f8c9b7-x2x4z") {
		t.Errorf("%s %s", tracer.ContainerID, tracer.Tags)
	}
	if span := tracer.Chunks[0].Spans[0]; span.Service != "goapi.apps" || span.Meta["team"] != "mesh" {
		t.Errorf("%v", span)
	}
}

func TestStatisticsAreSent(t *testing.T) {
	received, address := listening(t)
	agent := start(t, address)
	agent.send(t)
	agent.end(t)
	stats := &pb.StatsPayload{}
	if _, err := stats.UnmarshalMsg(received.payload(t, "/api/v0.2/stats")); err != nil {
		t.Fatal(err)
	}
	group := stats.Stats[0].Stats[0].Stats[0]
	if group.Service != "goapi.apps" || group.Hits != 1 || stats.AgentVersion != standin.Version {
		t.Errorf("%+v", group)
	}
}

func TestIgnoredResourcesAreNotSent(t *testing.T) {
	received, address := listening(t)
	agent := start(t, address, "DD_APM_IGNORE_RESOURCES=^goapi")
	agent.send(t)
	agent.end(t)
	if received.got["/api/v0.2/traces"] != nil {
		t.Error("the span was sent")
	}
}

func TestInfoTellsOfTheRunningAgent(t *testing.T) {
	_, address := listening(t)
	agent := start(t, address)
	info := exec.Command(os.Args[0], "info")
	info.Env = agent.env
	out, err := info.Output()
	if err != nil || !strings.Contains(string(out), "node-1-meshproof") || !strings.Contains(string(out), address) {
		t.Errorf("%v\n%s", err, out)
	}
	agent.end(t)
}

func TestWithoutAKeyItDoesNotStart(t *testing.T) {
	command := exec.Command(os.Args[0])
	command.Env = []string{"BE_TRACE_AGENT=1"}
	out, err := command.CombinedOutput()
	if command.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "DD_API_KEY") {
		t.Errorf("%v\n%s", err, out)
	}
}
