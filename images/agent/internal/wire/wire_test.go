package wire

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/DataDog/agent-payload/v5/gogen"
	"github.com/DataDog/agent-payload/v5/process"
	"github.com/klauspost/compress/zstd"

	"agentstandin/internal/deliver"
	"agentstandin/internal/settings"
)

var silent = slog.New(slog.DiscardHandler)

func unpacked(t *testing.T, body []byte) *gogen.MetricPayload {
	t.Helper()
	reader, _ := zstd.NewReader(nil)
	plain, err := reader.DecodeAll(body, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload := &gogen.MetricPayload{}
	if err := payload.Unmarshal(plain); err != nil {
		t.Fatal(err)
	}
	return payload
}

func TestSeriesCarryHostDeviceTagsAndTime(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	payloads, err := Series("node-1", at, 15*time.Second, []Point{
		{Metric: "system.disk.used", Kind: Gauge, Value: 2.5, Unit: "byte", Tags: []string{"a:b"}, Device: "sda"}, {Metric: "hits", Kind: Count, Value: 3},
	})
	if err != nil || len(payloads) != 1 || payloads[0].Path != "/api/v2/series" || payloads[0].Encoding != "zstd" {
		t.Fatal(err, payloads)
	}
	series := unpacked(t, payloads[0].Body).Series
	first := series[0]
	if first.Metric != "system.disk.used" || first.Points[0].Value != 2.5 || first.Points[0].Timestamp != at.Unix() || first.Interval != 0 || first.Tags[0] != "a:b" {
		t.Errorf("%+v", first)
	}
	if first.Resources[0].Type != "host" || first.Resources[0].Name != "node-1" || first.Resources[1].Name != "sda" {
		t.Errorf("%v", first.Resources)
	}
	if series[1].Type != Count || series[1].Interval != 15 || len(series[1].Resources) != 1 {
		t.Errorf("%+v", series[1])
	}
}

func TestManyPointsAreSplit(t *testing.T) {
	payloads, _ := Series("node-1", time.Now(), time.Second, make([]Point, mostSeries+1))
	if len(payloads) != 2 || len(unpacked(t, payloads[1].Body).Series) != 1 {
		t.Error(len(payloads))
	}
}

func TestFrameCanBeReadByTheProtocolsOwnCode(t *testing.T) {
	payload, err := Frame("/api/v2/orch", "node-1", time.Now(), &process.CollectorNamespace{ClusterName: "meshproof"}, map[string]string{"X-Extra": "1"})
	if err != nil || payload.Headers["X-Extra"] != "1" || payload.Headers["X-Dd-Hostname"] != "node-1" {
		t.Fatal(err, payload.Headers)
	}
	message, err := process.DecodeMessage(payload.Body)
	if err != nil || message.Header.Type != process.TypeCollectorNamespace || message.Body.(*process.CollectorNamespace).ClusterName != "meshproof" {
		t.Error(err, message)
	}
}

// answering gives the statuses one after the other, then 202 for ever, and hands out the paths it was asked.
func answering(t *testing.T, statuses ...int) (address string, asked <-chan string) {
	t.Helper()
	paths := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		status := http.StatusAccepted
		if len(statuses) > 0 {
			status, statuses = statuses[0], statuses[1:]
		}
		w.WriteHeader(status)
		paths <- r.URL.Path
	}))
	t.Cleanup(server.Close)
	return server.URL, paths
}

func open(address string) *Outbox {
	box := Open(address, deliver.New(settings.Settings{APIKey: "0123"}, nil), silent)
	box.backoff = &deliver.Backoff{Base: time.Millisecond, Most: time.Millisecond}
	return box
}

func next(t *testing.T, asked <-chan string) string {
	t.Helper()
	select {
	case path := <-asked:
		return path
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was sent")
		return ""
	}
}

func TestWhatWaitsIsSentInOrderWhenTheIntakeIsBack(t *testing.T) {
	address, asked := answering(t, http.StatusServiceUnavailable, http.StatusForbidden)
	box := open(address)
	box.Put(Payload{Path: "/1"}, Payload{Path: "/2"})
	got := []string{next(t, asked), next(t, asked), next(t, asked), next(t, asked)}
	box.Close()
	if !slices.Equal(got, []string{"/1", "/1", "/1", "/2"}) {
		t.Error(got)
	}
}

func TestWhatIsRefusedIsDropped(t *testing.T) {
	address, asked := answering(t, http.StatusBadRequest)
	box := open(address)
	box.Put(Payload{Path: "/1"}, Payload{Path: "/2"})
	got := []string{next(t, asked), next(t, asked)}
	box.Close()
	if !slices.Equal(got, []string{"/1", "/2"}) {
		t.Error(got)
	}
}

func TestCloseSendsWhatWaits(t *testing.T) {
	address, asked := answering(t)
	box := open(address)
	box.stop()
	<-box.ended // nothing sends any more, as when the end comes between two payloads
	box.Put(Payload{Path: "/1"}, Payload{Path: "/2"})
	box.Close()
	if len(asked) != 2 {
		t.Error(len(asked))
	}
}

func TestTheOldestIsDroppedWhenTooMuchWaits(t *testing.T) {
	box := &Outbox{log: silent, wake: make(chan struct{}, 1)}
	half := make([]byte, waitingBytes/2)
	box.Put(Payload{Path: "/1", Body: half}, Payload{Path: "/2", Body: half}, Payload{Path: "/3", Body: half})
	first, _ := box.next()
	if first.Path != "/2" || box.dropped != 1 {
		t.Error(first.Path, box.dropped)
	}
}
