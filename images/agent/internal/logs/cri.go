package logs

import (
	"bytes"
	"time"
)

// stream is where a container wrote a line.
type stream int

const (
	stdout stream = iota
	stderr
	streams // how many there are
)

func (s stream) String() string { return [...]string{"stdout", "stderr"}[s] }

// status is what Datadog's agent makes of the stream.
func (s stream) status() string { return [...]string{"info", "error"}[s] }

// entry is one line of a CRI log file: `<RFC 3339 time> <stream> <tags> <text>`.
type entry struct {
	stream    stream
	partial   bool // the container's line goes on in the stream's next entry
	malformed bool // not the CRI format: the whole line is the text, as the agent has it
	text      []byte
}

// parseCRI reads a line without its newline; text points into it.
func parseCRI(line []byte) entry {
	raw := entry{malformed: true, text: line}
	when, rest, ok := bytes.Cut(line, space)
	if !ok {
		return raw
	}
	if _, err := time.Parse(time.RFC3339Nano, string(when)); err != nil {
		return raw
	}
	name, rest, ok := bytes.Cut(rest, space)
	if !ok {
		return raw
	}
	parsed := entry{}
	switch string(name) {
	case "stdout":
	case "stderr":
		parsed.stream = stderr
	default:
		return raw
	}
	tags, text, _ := bytes.Cut(rest, space) // an empty line may end behind its tags
	first, _, _ := bytes.Cut(tags, colon)
	switch string(first) {
	case "F":
	case "P":
		parsed.partial = true
	default:
		return raw
	}
	parsed.text = text
	return parsed
}

var (
	space = []byte{' '}
	colon = []byte{':'}
)
