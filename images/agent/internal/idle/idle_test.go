package idle

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"agentstandin/internal/standin"
)

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestSaysWhatIsNotDoneAndEndsCleanly(t *testing.T) {
	var out bytes.Buffer
	if code := Wait(ended(), "system-probe", []string{"npm"}, &out); code != 0 {
		t.Errorf("code %d", code)
	}
	if !strings.Contains(out.String(), standin.NotDone["npm"]) {
		t.Error(out.String())
	}
}

func TestAnUnknownFeatureIsAMistake(t *testing.T) {
	var out bytes.Buffer
	if code := Wait(ended(), "system-probe", []string{"nothing"}, &out); code != 2 {
		t.Errorf("code %d", code)
	}
}

func TestVersion(t *testing.T) {
	var out bytes.Buffer
	if code := Main("system-probe", nil, []string{"version"}, &out); code != 0 || !strings.Contains(out.String(), standin.Version) {
		t.Error(code, out.String())
	}
}
