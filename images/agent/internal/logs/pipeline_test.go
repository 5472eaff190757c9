package logs

import (
	"strings"
	"testing"
	"time"
)

func TestFailuresOfTheIntakeAreOvercome(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	w.answer = func(request int) int { // seven of eight fail
		return []int{500, 429, 503, 404, 408, 502, 500, 0}[request%8]
	}
	w.begin()
	w.write(path, numbered("line", 0, 5000)...)
	same(t, w.got(5000), numbered("line", 0, 5000))
	w.until("the last answer is noted", func() bool { return w.agent.Status().LinesSent == 5000 })
	if status := w.agent.Status(); status.FailedTries < 20 || status.LinesSent != 5000 || status.LinesDropped != 0 {
		t.Errorf("%+v", status)
	}
}

func TestRefusedLinesAreDroppedAndCounted(t *testing.T) {
	t.Parallel()
	for _, refusal := range []int{400, 401, 403, 413} {
		w, path := newGoapi(t)
		w.answer = func(request int) int {
			if request == 1 {
				return refusal
			}
			return 0
		}
		w.begin()
		w.write(path, numbered("lost", 0, 3)...)
		w.until("they are dropped", func() bool { return w.agent.Status().LinesDropped == 3 })
		w.write(path, "kept")
		same(t, w.got(1), []string{"kept"})
		w.end()
		w.begin()
		w.write(path, "later")
		same(t, w.got(2), []string{"kept", "later"}) // what was dropped is not read again
	}
}

func TestWhatTheIntakeNeverTookIsSentAfterTheRestart(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	down := true
	w.answer = func(int) int {
		if down {
			return 503
		}
		return 0
	}
	w.begin()
	w.write(path, numbered("line", 0, 3000)...)
	w.until("it was tried", func() bool { return w.agent.Status().FailedTries > 0 })
	if why := w.agent.Status().WaitingFor; !strings.Contains(why, "503") {
		t.Error(why)
	}
	began := time.Now()
	w.end()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the end took %s", took)
	}
	w.until("the last request is over", func() bool { return w.busy.Load() == 0 })
	w.lock.Lock()
	down = false
	w.lock.Unlock()
	w.begin()
	same(t, w.got(3000), numbered("line", 0, 3000))
}

func TestBatchesHaveAsManyLinesAsTheyAreToldTo(t *testing.T) {
	t.Parallel()
	for most, requestsWanted := range map[int]int{1000: 3, 50: 70} {
		w, path := newGoapi(t)
		w.settings.Logs.BatchWait = 5 * time.Second // longer than this test waits: only full batches leave
		w.settings.Logs.BatchLines = most
		w.begin()
		w.write(path, numbered("line", 0, 3500)...)
		full := 3500 / most * most
		w.got(full)
		w.lock.Lock()
		requests, lines := w.requests, len(w.lines)
		w.lock.Unlock()
		if requests != requestsWanted || lines != full {
			t.Errorf("at most %d: %d lines in %d requests", most, lines, requests)
		}
		w.end() // sends the rest at once
		same(t, w.texts(), numbered("line", 0, 3500))
	}
}

func TestMemoryIsBoundedWhileTheIntakeIsDown(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	w.answer = func(int) int { return 503 }
	w.begin()
	long := strings.Repeat("x", 30_000)
	lines := make([]string, 1500) // 45 MB
	for i := range lines {
		lines[i] = long
	}
	w.write(path, lines...)
	w.until("it was tried", func() bool { return w.agent.Status().FailedTries > 3 })
	before, read := int64(-1), int64(0)
	for before != read { // until the tailer stands still
		before = read
		time.Sleep(100 * time.Millisecond)
		read = w.agent.Status().Containers[0].LinesRead
	}
	if read > (16<<20)/30_000+50 || read < 300 {
		t.Errorf("%d lines of 30 kB are in memory", read)
	}
}
