package logs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"time"
)

const (
	chunk = 32 << 10
	// How long a line waits for the kubelet to tell its container's id; then it goes without.
	aboutPatience = 5 * time.Second
)

// tailer reads one container's files in their order and hands on its lines. One goroutine runs it.
type tailer struct {
	source *source
	send   func(context.Context, message) error // blocks while the intake does not keep up
	limit  int                                  // of a message, in bytes
	pace   pace
	log    *slog.Logger

	current  *logFile
	offset   int64 // of the first byte in buffer
	buffer   []byte
	chunk    []byte
	assemble assembler
	cut      *entry // the line in buffer was too long: its beginning is out, and this says whose it is
	sent     spots
	failed   error // of send
	ctx      context.Context
}

// run reads until ctx ends, or until the container's folder is gone and everything of it was handed on.
func (t *tailer) run(ctx context.Context) {
	t.ctx, t.chunk = ctx, make([]byte, chunk)
	t.assemble = assembler{limit: t.limit, emit: t.handOn}
	ticker := time.NewTicker(t.pace.read)
	defer ticker.Stop()
	for {
		worked, finished := t.step()
		if t.failed != nil || ctx.Err() != nil {
			return
		}
		if finished {
			_ = t.send(ctx, message{container: t.source.key, counts: &t.source.counts})
			return
		}
		if worked {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// step reads a chunk or moves to the next file. worked: there may be more at once; finished: there never will be.
func (t *tailer) step() (worked, finished bool) {
	if t.current == nil {
		next := t.source.after(nil)
		if next == nil {
			return false, t.source.removed.Load()
		}
		t.open(next)
	}
	if t.source.about(t.current.run, t.current.found) == nil {
		return false, false
	}
	count, err := t.current.handle.ReadAt(t.chunk, t.offset+int64(len(t.buffer)))
	if count > 0 {
		t.take(t.chunk[:count])
		return true, false
	}
	if err != nil && !errors.Is(err, io.EOF) {
		t.log.Warn("a log file cannot be read", "container", t.source.key, "file", t.source.position(), "error", err.Error())
	}
	t.assemble.flushDue(time.Now(), t.here())
	return t.atEnd()
}

func (t *tailer) open(file *logFile) {
	t.current, t.offset, t.buffer, t.cut = file, file.start, t.buffer[:0], nil
	t.source.reading(file)
}

// here is the place of the first byte that was not taken yet.
func (t *tailer) here() place { return place{t.current.sequence, t.offset} }

// atEnd decides what the end of the current file means.
func (t *tailer) atEnd() (worked, finished bool) {
	info, err := t.current.handle.Stat()
	if err != nil {
		t.log.Warn("a log file cannot be examined", "container", t.source.key, "error", err.Error())
		return false, false
	}
	if info.Size() < t.offset { // emptied in place, and perhaps written again
		t.log.Info("a log file was truncated", "container", t.source.key, "file", t.source.position())
		t.assemble.flushAll(t.here())
		t.open(t.source.restarted(t.current))
		return true, false
	}
	next := t.source.after(t.current)
	switch {
	case next != nil && time.Since(info.ModTime()) > t.pace.settled:
		t.finish()
		if next.run != t.current.run { // the container ended: what it left unfinished stays so
			t.assemble.flushAll(t.here())
		}
		t.source.finished(t.current)
		t.open(next)
		return true, false
	case next == nil && t.source.removed.Load():
		t.finish()
		t.assemble.flushAll(t.here())
		t.source.finished(t.current)
		return false, true
	}
	return false, false
}

// finish takes what stands behind the file's last newline as a line.
func (t *tailer) finish() {
	if len(t.buffer) > 0 {
		t.line(t.buffer, t.offset, t.offset+int64(len(t.buffer)))
		t.offset += int64(len(t.buffer))
		t.buffer = t.buffer[:0]
	}
}

// take cuts lines out of what was read.
func (t *tailer) take(read []byte) {
	t.buffer = append(t.buffer, read...)
	rest := t.buffer
	for t.failed == nil {
		end := bytes.IndexByte(rest, '\n')
		length := end + 1
		if end < 0 {
			if len(rest) < t.limit+1024 { // room for time, stream and tags
				break
			}
			end, length = len(rest), len(rest)
			t.long(rest)
		} else {
			t.line(rest[:end], t.offset, t.offset+int64(length))
			t.cut = nil
		}
		t.offset += int64(length)
		rest = rest[length:]
	}
	t.buffer = append(t.buffer[:0], rest...)
	if len(rest) == 0 && cap(t.buffer) > 4*chunk {
		t.buffer = nil
	}
}

// long hands on the beginning of a line that has no end yet.
func (t *tailer) long(beginning []byte) {
	to := t.offset + int64(len(beginning))
	parsed := t.parse(beginning)
	parsed.partial = true
	t.assemble.add(parsed, place{t.current.sequence, t.offset}, place{t.current.sequence, to}, time.Now())
	parsed.text = nil
	t.cut = &parsed
}

func (t *tailer) line(text []byte, from, to int64) {
	t.source.counts.read.Add(1)
	parsed := t.parse(text)
	start := place{t.current.sequence, from}
	if start.before(t.source.resume[parsed.stream]) {
		return // of an earlier run of the agent: the other stream was behind
	}
	if parsed.malformed && t.cut == nil {
		t.source.counts.malformed.Add(1)
	}
	if now := t.source.about(t.current.run, t.current.found); now != nil {
		t.assemble.begins = joining(now.rules)
	}
	t.assemble.add(parsed, start, place{t.current.sequence, to}, time.Now())
}

func (t *tailer) parse(text []byte) entry {
	if t.cut != nil {
		rest := *t.cut
		rest.text, rest.partial = text, false
		return rest
	}
	return parseCRI(text)
}

// handOn is what the assembler emits to.
func (t *tailer) handOn(l line) {
	if t.failed != nil {
		return
	}
	m := message{container: t.source.key, done: t.spots(l.done), counts: &t.source.counts}
	about := t.source.about(t.current.run, t.current.found)
	text, wanted := l.text, len(l.text) > 0 // the agent leaves empty lines out
	if wanted {
		text, wanted = applyRules(about.rules, l.text)
		if !wanted {
			t.source.counts.byRule.Add(1)
		}
	}
	if wanted {
		m.encoded = about.encode(text, l.stream.status(), time.Now().UnixMilli())
	}
	t.failed = t.send(t.ctx, m)
}

// spots is the progress in a form that survives a restart; it never goes back.
func (t *tailer) spots(done progress) *spots {
	for s := range done {
		if t.source.sent[s].before(done[s]) {
			t.source.sent[s] = done[s]
			t.sent[s] = t.source.spot(done[s])
		}
	}
	copied := t.sent
	return &copied
}
