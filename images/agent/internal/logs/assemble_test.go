package logs

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// assembled feeds entries of one byte each, so that the places are easy to read.
type assembled struct {
	assembler
	lines []line
	at    int64
	now   time.Time
}

func newAssembled(limit int, begins string) *assembled {
	a := &assembled{now: time.Now()}
	a.limit = limit
	a.emit = func(l line) { a.lines = append(a.lines, l) }
	if begins != "" {
		a.begins = regexp.MustCompile("^" + begins)
	}
	return a
}

func (a *assembled) feed(s stream, partial bool, text string) {
	a.add(entry{stream: s, partial: partial, text: []byte(text)}, place{1, a.at}, place{1, a.at + 1}, a.now)
	a.at++
}

func (a *assembled) texts() []string {
	texts := []string{}
	for _, l := range a.lines {
		texts = append(texts, l.stream.String()+" "+string(l.text))
	}
	return texts
}

func TestPartialLinesOfTwoStreamsAreNotMixed(t *testing.T) {
	a := newAssembled(100, "")
	a.feed(stdout, true, "one ")
	a.feed(stderr, true, "two ")
	a.feed(stdout, true, "half ")
	a.feed(stderr, false, "ends")
	a.feed(stdout, false, "line ")
	same(t, a.texts(), []string{"stderr two ends", "stdout one half line"})
	// stderr is done up to where the reader is, stdout only up to where its unfinished line begins
	if got := a.lines[0].done; got != (progress{{1, 0}, {1, 4}}) {
		t.Error(got)
	}
	if got := a.lines[1].done; got != (progress{{1, 5}, {1, 5}}) {
		t.Error(got)
	}
}

func TestLongLinesAreCutAndMarked(t *testing.T) {
	a := newAssembled(10, "")
	a.feed(stdout, true, "01234567")
	a.feed(stdout, true, "89abcdef")
	a.feed(stdout, true, "x")
	a.feed(stdout, false, "y")
	a.feed(stdout, false, "next")
	same(t, a.texts(), []string{"stdout 0123456789abcdef...TRUNCATED...", "stdout ...TRUNCATED...xy...TRUNCATED...", "stdout next"})
}

func TestALineOfExactlyTheLimitIsMarkedButTheNextIsNot(t *testing.T) {
	a := newAssembled(10, "")
	a.feed(stdout, false, "0123456789")
	a.feed(stdout, false, "next")
	same(t, a.texts(), []string{"stdout 0123456789...TRUNCATED...", "stdout next"})
}

func TestMultiLine(t *testing.T) {
	a := newAssembled(1000, `\d`)
	a.feed(stdout, false, "1 begin")
	a.feed(stderr, false, "9 other")
	a.feed(stdout, false, "  more")
	a.feed(stdout, false, "2 begin")
	same(t, a.texts(), []string{`stdout 1 begin\n  more`})
	if got := a.lines[0].done; got != (progress{{1, 3}, {1, 1}}) {
		t.Error(got)
	}
	a.flushDue(a.now.Add(joinedAtLeast-1), place{1, 4})
	if len(a.lines) != 1 {
		t.Error("too early", a.texts())
	}
	a.flushDue(a.now.Add(joinedAtLeast), place{1, 4})
	same(t, a.texts(), []string{`stdout 1 begin\n  more`, "stdout 2 begin", "stderr 9 other"})
	if got := a.lines[2].done; got != (progress{{1, 4}, {1, 4}}) {
		t.Error(got)
	}
}

func TestAMultiLineMessageIsCutAtTheLimit(t *testing.T) {
	a := newAssembled(20, `\d`)
	a.feed(stdout, false, "1 begin")
	for i := range 3 {
		a.feed(stdout, false, fmt.Sprintf("more %d", i))
	}
	a.feed(stdout, false, "2 begin")
	a.flushAll(place{1, a.at})
	same(t, a.texts(), []string{`stdout 1 begin\nmore 0\nmore 1...TRUNCATED...`, "stdout ...TRUNCATED...more 2...TRUNCATED...", "stdout 2 begin"})
}

func TestFlushAllEmitsWhatIsUnfinished(t *testing.T) {
	a := newAssembled(100, `\d`)
	a.feed(stdout, false, "1 begin")
	a.feed(stdout, true, "unfin")
	a.feed(stderr, true, "9 err")
	a.flushAll(place{1, 3})
	same(t, a.texts(), []string{`stdout 1 begin\nunfin`, "stderr 9 err"})
	if got := a.lines[1].done; got != (progress{{1, 3}, {1, 3}}) {
		t.Error(got)
	}
}

// FuzzAssembler checks that no text is lost or mixed, and that going on from the progress of any line gives the rest.
func FuzzAssembler(f *testing.F) {
	f.Add("aAbB", 8, false)
	f.Add("xXyYzZ\x01", 3, true)
	f.Fuzz(func(t *testing.T, script string, limit int, grouped bool) {
		if limit < 1 || limit > 50 || len(script) > 200 {
			return
		}
		begins := ""
		if grouped {
			begins = "[a-m]"
		}
		whole := newAssembled(limit, begins)
		for i := 0; i < len(script); i++ {
			whole.feed(stream(script[i]&1), script[i]&2 != 0, string(rune('a'+script[i]%26)))
		}
		whole.flushAll(place{1, whole.at})
		clean := strings.NewReplacer(truncated, "", escapedEnd, "")
		for s := stdout; s < streams; s++ {
			var want, got strings.Builder
			for i := 0; i < len(script); i++ {
				if stream(script[i]&1) == s {
					want.WriteString(string(rune('a' + script[i]%26)))
				}
			}
			var last progress
			for _, l := range whole.lines {
				if l.stream == s {
					got.WriteString(clean.Replace(string(l.text)))
					if l.done[s].before(last[s]) {
						t.Errorf("the progress of %s goes back", s)
					}
					last = l.done
				}
			}
			if got.String() != want.String() {
				t.Errorf("%s: %q, not %q", s, got.String(), want.String())
			}
		}
	})
}
