package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain lets this test program be the trace-loader of TestBecomesTheProgram.
func TestMain(m *testing.M) {
	if os.Getenv("BE_TRACE_LOADER") != "" {
		os.Unsetenv("BE_TRACE_LOADER")
		main()
	}
	os.Exit(m.Run())
}

func TestBecomesTheProgram(t *testing.T) {
	command := exec.Command(os.Args[0], "/etc/datadog-agent/datadog.yaml", "sh", "-c", "echo $MARK $0 $1", "first", "second")
	command.Env = append(os.Environ(), "BE_TRACE_LOADER=1", "MARK=kept")
	out, err := command.Output()
	if err != nil || strings.TrimSpace(string(out)) != "kept first second" {
		t.Errorf("%q %v", out, err)
	}
}

func TestAProgramThatIsNotThereIsNamed(t *testing.T) {
	var told bytes.Buffer
	if code := load([]string{"config", "no-such-program"}, nil, &told, nil); code != 127 || !strings.Contains(told.String(), "no-such-program") {
		t.Error(code, told.String())
	}
}

func TestTooFewArguments(t *testing.T) {
	if code := load([]string{"config"}, nil, &bytes.Buffer{}, nil); code != 2 {
		t.Error(code)
	}
}
