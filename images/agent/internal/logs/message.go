package logs

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// about is what every line of one run of a container carries; it does not change, a newer one replaces it.
type about struct {
	tail  []byte // `,"hostname":...,"ddtags":"..."}`
	rules []Rule
}

func newAbout(hostname, service, source string, tags []string, rules []Rule) *about {
	var out []byte
	for _, field := range [][2]string{{"hostname", hostname}, {"service", service}, {"ddsource", source}, {"ddtags", strings.Join(tags, ",")}} {
		out = append(out, `,"`+field[0]+`":`...)
		out = appendText(out, field[1])
	}
	return &about{tail: append(out, '}'), rules: rules}
}

// encode is the JSON object of one line (pkg/logs/processor/json.go); when is in milliseconds since 1970.
func (a *about) encode(text []byte, status string, when int64) []byte {
	out := make([]byte, 0, len(text)+len(text)/8+len(a.tail)+80)
	out = append(out, `{"message":`...)
	out = appendText(out, string(text))
	out = append(out, `,"status":"`...)
	out = append(out, status...)
	out = append(out, `","timestamp":`...)
	out = strconv.AppendInt(out, when, 10)
	return append(out, a.tail...)
}

// appendText appends a JSON string. Bytes that are no UTF-8 become U+FFFD, as in the agent.
func appendText(out []byte, text string) []byte {
	if plain(text) {
		out = append(out, '"')
		out = append(out, text...)
		return append(out, '"')
	}
	encoded, _ := json.Marshal(text) // a string always has an encoding
	return append(out, encoded...)
}

func plain(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// message is a line on its way to the intake, or only news of progress when there is nothing to send.
type message struct {
	container string
	encoded   []byte // nil: nothing to send
	done      *spots // nil: the container is gone and everything of it is on its way
	counts    *counts
}

// weight is about how much memory a message holds.
func (m message) weight() int64 { return int64(len(m.encoded)) + 256 }
