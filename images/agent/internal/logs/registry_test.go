package logs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheRegistryComesBack(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	r, err := openRegistry(folder)
	if err != nil || !r.fresh {
		t.Fatal(err)
	}
	at := spots{{inode: inode{1, 2}, Print: fingerprint{3, 4}, Offset: 5, Name: "0.log"}}
	if err := r.advance(map[string]*spots{"a/b": &at, "a/c": &at}); err != nil {
		t.Fatal(err)
	}
	if err := r.advance(map[string]*spots{"a/c": nil}); err != nil {
		t.Fatal(err)
	}
	again, err := openRegistry(folder)
	if err != nil || again.fresh {
		t.Fatal(err)
	}
	if got, ok := again.find("a/b"); !ok || got != at {
		t.Error(got)
	}
	if _, ok := again.find("a/c"); ok {
		t.Error("a/c was not forgotten")
	}
}

func TestAnUnreadableRegistryIsKeptAsideAndTold(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, registryName), []byte(`{"vers`), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := openRegistry(folder)
	if r == nil || err == nil || !strings.Contains(err.Error(), ".unreadable") {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(filepath.Join(folder, registryName+".unreadable")); string(text) != `{"vers` {
		t.Error(string(text))
	}
	if r.fresh {
		t.Error("it is not the first start: history counts")
	}
}

func TestARunPathThatCannotBeWrittenIsTold(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := openRegistry(blocked); err == nil || r != nil || !strings.Contains(err.Error(), "DD_LOGS_CONFIG_RUN_PATH") {
		t.Error(err)
	}
}
