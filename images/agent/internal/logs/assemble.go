package logs

import (
	"bytes"
	"regexp"
	"time"
)

const (
	truncated     = "...TRUNCATED..."
	escapedEnd    = `\n` // a backslash and an n: how the agent joins lines
	joinedAtLeast = time.Second
)

// place is a position in a container's logs: which of its files (counted as they were found) and how far into it.
type place struct {
	file   int
	offset int64
}

func (p place) before(other place) bool {
	return p.file < other.file || p.file == other.file && p.offset < other.offset
}

// progress is, for each stream, the place before which nothing is left to do.
type progress [streams]place

// start is the earliest of the places.
func (p progress) start() place {
	if p[stderr].before(p[stdout]) {
		return p[stderr]
	}
	return p[stdout]
}

// line is what the container wrote between two newlines, or what a multi_line rule joins.
type line struct {
	stream stream
	text   []byte // its own memory
	done   progress
}

// assembler turns entries into lines. The real agent joins what follows in the file; here each stream has its own
// state, so that lines of stdout and stderr that interleave are never mixed. Nothing of it survives a restart: the
// places in progress do, and the entries are read again.
type assembler struct {
	limit   int
	begins  *regexp.Regexp // of a multi-line message; nil: each line is a message
	perLine [streams]joiner
	emit    func(line)
}

// joiner is one stream's unfinished line and unfinished multi-line message.
type joiner struct {
	partial      []byte
	partialStart place
	pending      bool // partial counts, though it may be empty
	continued    bool // the line's beginning was too long and is out already

	group          []byte
	groupStart     place
	grouping       bool
	groupContinued bool
	deadline       time.Time
}

// add takes the entry that lies between from and to.
func (a *assembler) add(e entry, from, to place, now time.Time) {
	j := &a.perLine[e.stream]
	if !j.pending {
		j.partialStart, j.pending = from, true
	}
	j.partial = append(j.partial, e.text...)
	if e.partial && len(j.partial) < a.limit {
		return
	}
	text := j.partial // valid until the next add
	start, continued := j.partialStart, j.continued
	j.continued = e.partial // the limit is reached: what follows is the rest of this line
	j.partial, j.pending = j.partial[:0], false
	if cap(j.partial) > 64<<10 {
		j.partial = nil
	}
	if a.begins == nil {
		a.emit(line{e.stream, a.marked(bytes.TrimSpace(text), continued), a.done(to)})
		return
	}
	a.group(e.stream, text, continued, start, to, now) // its lines keep their indentation
}

// marked is a copy of text with the marks of a line that was cut.
func (a *assembler) marked(text []byte, continued bool) []byte {
	out := make([]byte, 0, len(text)+2*len(truncated))
	if continued {
		out = append(out, truncated...)
	}
	out = append(out, text...)
	if len(out) >= a.limit {
		out = append(out, truncated...)
	}
	return out
}

func (a *assembler) group(s stream, text []byte, continued bool, start, to place, now time.Time) {
	j := &a.perLine[s]
	if !continued && a.begins.Match(text) {
		if j.grouping {
			a.flush(s, start)
		}
		j.groupContinued = false
	}
	if !j.grouping {
		j.grouping, j.groupStart = true, start
		if j.groupContinued || continued {
			j.group = append(j.group, truncated...)
			j.groupContinued = false
		}
	} else {
		j.group = append(j.group, escapedEnd...)
	}
	j.group = append(j.group, text...)
	j.deadline = now.Add(joinedAtLeast)
	if len(j.group) >= a.limit {
		j.group = append(j.group, truncated...)
		a.flush(s, to)
		j.groupContinued = true
	}
}

// flush emits the stream's multi-line message; to is the place that the reader has come to.
func (a *assembler) flush(s stream, to place) {
	j := &a.perLine[s]
	text := bytes.Clone(bytes.TrimSpace(j.group))
	j.group, j.grouping, j.groupContinued = j.group[:0], false, false
	if cap(j.group) > 64<<10 {
		j.group = nil
	}
	a.emit(line{s, text, a.done(to)})
}

// flushDue emits multi-line messages that nothing was added to for a second.
func (a *assembler) flushDue(now time.Time, to place) {
	for s := range a.perLine {
		if j := &a.perLine[s]; j.grouping && !j.pending && !now.Before(j.deadline) {
			a.flush(stream(s), to)
		}
	}
}

// flushAll emits everything unfinished: nothing more will come.
func (a *assembler) flushAll(to place) {
	for s := range a.perLine {
		j := &a.perLine[s]
		if j.pending {
			a.add(entry{stream: stream(s)}, to, to, time.Time{})
		}
		if j.grouping {
			a.flush(stream(s), to)
		}
	}
}

// done is the progress when the reader has come to `to`.
func (a *assembler) done(to place) progress {
	var p progress
	for s := range a.perLine {
		j := &a.perLine[s]
		switch {
		case j.grouping:
			p[s] = j.groupStart
		case j.pending:
			p[s] = j.partialStart
		default:
			p[s] = to
		}
	}
	return p
}
