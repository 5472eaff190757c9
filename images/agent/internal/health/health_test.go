package health

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func get(h *Health, path string) (int, string) {
	recorder := httptest.NewRecorder()
	h.Handler().ServeHTTP(recorder, httptest.NewRequest("GET", path, nil))
	return recorder.Code, recorder.Body.String()
}

func TestAComponentThatHasNotBegunIsNotReadyButLives(t *testing.T) {
	h := New()
	beat := h.Watch("logs", time.Minute)
	if code, _ := get(h, "/live"); code != 200 {
		t.Error("live", code)
	}
	for _, path := range []string{"/ready", "/startup"} {
		if code, body := get(h, path); code != 500 || !strings.Contains(body, "has not begun") {
			t.Error(path, code, body)
		}
	}
	beat.Alive()
	for _, path := range []string{"/live", "/ready", "/startup"} {
		if code, body := get(h, path); code != 200 {
			t.Error(path, code, body)
		}
	}
}

func TestSilenceAndFailureAreToldByName(t *testing.T) {
	now := time.Now()
	h := New()
	h.now = func() time.Time { return now }
	logs, metrics := h.Watch("logs", 30*time.Second), h.Watch("metrics", time.Hour)
	logs.Alive()
	metrics.Alive()
	now = now.Add(31 * time.Second)
	metrics.Failed("it ended")
	code, body := get(h, "/live")
	if code != 500 || !strings.Contains(body, "no sign of life for 31s") || !strings.Contains(body, "it ended") {
		t.Error(code, body)
	}
	logs.Alive()
	metrics.Alive()
	if code, body := get(h, "/live"); code != 200 {
		t.Error(code, body)
	}
}

func TestWhatIsOutsideDoesNotKillTheAgent(t *testing.T) {
	h := New()
	h.WatchOutside("kubelet").Failed("status 403")
	if code, body := get(h, "/live"); code != 200 {
		t.Error(code, body)
	}
	if code, body := get(h, "/ready"); code != 500 || !strings.Contains(body, "403") {
		t.Error(code, body)
	}
}
