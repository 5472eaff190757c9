package logs

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestRotationLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	w.begin()
	want := []string{"first"}
	w.write(path, want...)
	w.got(1)
	for i := range 20 {
		lines := numbered("line", i*50, i*50+50)
		want = append(want, lines...)
		w.write(path, lines[:40]...)
		rotated := path + ".20261121-1000" + string(rune('0'+i/10)) + string(rune('0'+i%10))
		w.rename(path, rotated)
		w.write(rotated, lines[40:]...) // the runtime still has the old file open
		if i%4 == 3 {
			time.Sleep(30 * time.Millisecond)
		}
		if i > 4 { // the kubelet compresses the older ones, so that inode numbers come back
			w.write(filepath.Join(filepath.Dir(path), "x.gz"), "compressed")
		}
	}
	w.write(path, "the end")
	want = append(want, "the end")
	same(t, w.got(len(want)), want)
}

func TestALateLineInARotatedFileComesBeforeTheNewFile(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	w.settled = 500 * time.Millisecond
	w.begin()
	w.write(path, "early")
	w.got(1)
	w.rename(path, path+".20261121-100000")
	w.write(path, "new")
	time.Sleep(50 * time.Millisecond)
	w.write(path+".20261121-100000", "late")
	same(t, w.got(3), []string{"early", "late", "new"})
}

func TestReusedInodesAreOtherFiles(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	w.begin()
	var want []string
	for i := range 8 {
		lines := numbered("line", i*10, i*10+10)
		want = append(want, lines...)
		w.write(path, lines...)
		w.got(len(want))
		w.rename(path, path+".1")
		w.write(path, "next")
		want = append(want, "next")
		w.got(len(want))
		if err := os.Remove(path + ".1"); err != nil {
			t.Fatal(err)
		}
		w.rename(path, path+".2")
	}
	same(t, w.texts(), want)
}

func TestAStopAndAStartLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	var want []string
	for i := range 5 {
		w.begin()
		lines := numbered("line", i*100, i*100+100)
		want = append(want, lines...)
		w.write(path, lines[:60]...)
		if i%2 == 0 {
			w.got(len(want) - 40)
		}
		w.end()
		w.write(path, lines[60:]...)
	}
	w.begin()
	same(t, w.got(len(want)), want)
	w.end()
	same(t, w.texts(), want)
}

func TestARotationWhileTheAgentWasDown(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	w.begin()
	w.write(path, numbered("line", 0, 10)...)
	w.got(10)
	w.end()
	w.write(path, numbered("line", 10, 20)...)
	w.rename(path, path+".20261121-100000")
	w.write(path, numbered("line", 20, 30)...)
	w.rename(path, path+".20261121-100100")
	w.write(path, numbered("line", 30, 40)...)
	w.begin()
	same(t, w.got(40), numbered("line", 0, 40))
}

func TestAFileThatWasCompressedWhileTheAgentWasDownIsNotReadTwice(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	w.begin()
	w.write(path, numbered("line", 0, 10)...)
	w.got(10)
	w.end()
	w.rename(path, path+".20261121-100000.gz")
	w.write(path, numbered("line", 20, 30)...)
	w.begin()
	same(t, w.got(20), append(numbered("line", 0, 10), numbered("line", 20, 30)...))
}

func TestATruncatedFileIsReadFromItsBeginning(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	w.begin()
	w.write(path, numbered("before", 0, 10)...)
	w.got(10)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	w.write(path, numbered("after", 0, 3)...)
	same(t, w.got(13), append(numbered("before", 0, 10), numbered("after", 0, 3)...))
	w.end()
	w.write(path, "last")
	w.begin()
	if got := w.got(14); got[13] != "last" {
		t.Error(got)
	}
}

func TestUnfinishedLinesSurviveARestart(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	w.begin()
	w.write(path, "2026-11-21T10:00:00Z stdout P one ", "2026-11-21T10:00:00Z stderr F two", "2026-11-21T10:00:00Z stderr F three")
	same(t, w.got(2), []string{"two", "three"})
	w.end()
	w.write(path, "2026-11-21T10:00:00Z stdout P half ", "2026-11-21T10:00:00Z stdout F line", "2026-11-21T10:00:00Z stderr F four")
	w.begin()
	same(t, w.got(4), []string{"two", "three", "one half line", "four"})
	w.end()
	w.begin()
	w.write(path, "five")
	same(t, w.got(5), []string{"two", "three", "one half line", "four", "five"})
}

func TestTheFirstStartReadsFromTheBeginningButNoHistory(t *testing.T) {
	t.Parallel()
	w, path := newGoapi(t)
	w.write(path+".20261121-090000", "history")
	w.write(path, "still there")
	w.begin()
	same(t, w.got(1), []string{"still there"})
	later := w.pod("goapi-2", "goapi")
	path = w.log(later, "goapi")
	w.write(path+".20261121-100000", "rotated at once")
	w.write(path, "new")
	same(t, w.got(3), []string{"still there", "rotated at once", "new"})
}
