package logs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFilesAreInTheOrderTheyWereWritten(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{
		"1.log", "10.log", "2.log", "2.log.20261121-100000", "2.log.20261121-093000", "1.log.20261121-110000",
		"2.log.20261121-080000.gz", "2.log.20261121-093000.tmp", "notes.txt", "x.log",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names, err := logFiles(folder)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range names {
		got = append(got, name.name)
	}
	same(t, got, []string{"1.log.20261121-110000", "1.log", "2.log.20261121-093000", "2.log.20261121-100000", "2.log", "10.log"})
}

func TestAFileIsKnownAgainByItsBeginning(t *testing.T) {
	print := func(text string, offset int64) fingerprint {
		t.Helper()
		got, err := fingerprintOf(strings.NewReader(text), offset)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if print("abc", 3) != print("abcdef", 3) || print("abc", 3) == print("abd", 3) {
		t.Error("fingerprints")
	}
	long := strings.Repeat("x", 5000)
	if print(long, 2000) != print(long, 5000) || print(long, 2000).Length != fingerprintMost {
		t.Error("only the beginning counts")
	}
}

func TestAnotherFileWithTheSameInodeIsNotTheOldOne(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "0.log")
	if err := os.WriteFile(path, []byte("old content\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first := &source{folder: folder}
	if err := first.look(); err != nil {
		t.Fatal(err)
	}
	at := first.spot(place{1, 12})
	first.close()
	if err := os.WriteFile(path, []byte("new content, and longer\n"), 0o600); err != nil { // the same inode
		t.Fatal(err)
	}
	second := &source{folder: folder}
	if err := second.look(); err != nil {
		t.Fatal(err)
	}
	defer second.close()
	if lost := second.begin(spots{at, at}); !lost || second.after(nil).start != 0 {
		t.Error("the new file was taken for the old one")
	}
}
