package logs

import (
	"bytes"
	"testing"
)

func TestParseCRI(t *testing.T) {
	for line, want := range map[string]entry{
		"2026-11-21T10:00:00.123456789Z stdout F hello world":    {text: []byte("hello world")},
		"2026-11-21T10:00:00.123456789+01:00 stderr F  indented": {stream: stderr, text: []byte(" indented")},
		"2026-11-21T10:00:00Z stdout P begins":                   {partial: true, text: []byte("begins")},
		"2026-11-21T10:00:00Z stdout P:more begins":              {partial: true, text: []byte("begins")},
		"2026-11-21T10:00:00Z stdout F ":                         {text: []byte("")},
		"2026-11-21T10:00:00Z stdout F":                          {},
	} {
		got := parseCRI([]byte(line))
		if got.stream != want.stream || got.partial != want.partial || got.malformed || !bytes.Equal(got.text, want.text) {
			t.Errorf("%q: %+v", line, got)
		}
	}
	for _, line := range []string{"", "hello", "yesterday stdout F x", "2026-11-21T10:00:00Z stdin F x", "2026-11-21T10:00:00Z stdout X x", "2026-11-21T10:00:00Z stdout"} {
		if got := parseCRI([]byte(line)); !got.malformed || string(got.text) != line {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

func FuzzParseCRI(f *testing.F) {
	for _, seed := range []string{"2026-11-21T10:00:00Z stdout F x", "2026-11-21T10:00:00Z stderr P:a:b ", " ", "", "a b c d"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		got := parseCRI(line)
		if !bytes.Equal(line, before) {
			t.Error("the line was changed")
		}
		if got.malformed && !bytes.Equal(got.text, line) {
			t.Error("a malformed line was not kept whole")
		}
		if !bytes.HasSuffix(line, got.text) || got.stream < 0 || got.stream >= streams {
			t.Errorf("%+v", got)
		}
		// What was understood says the same when it is written again.
		if !got.malformed {
			flag := "F"
			if got.partial {
				flag = "P"
			}
			again := parseCRI([]byte("2026-11-21T10:00:00Z " + got.stream.String() + " " + flag + " " + string(got.text)))
			if again.malformed || again.stream != got.stream || again.partial != got.partial || !bytes.Equal(again.text, got.text) {
				t.Errorf("%+v became %+v", got, again)
			}
		}
	})
}
