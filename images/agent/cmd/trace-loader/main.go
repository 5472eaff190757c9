// trace-loader CONFIG PROGRAM [ARGUMENT...] becomes PROGRAM. Datadog's waits for the first connection before it does,
// to save memory; this one does not wait, so that the first trace meets a running trace-agent.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

func main() { os.Exit(load(os.Args[1:], os.Environ(), os.Stderr, syscall.Exec)) }

// load returns only when the program could not be started: 2 for wrong arguments, 127 for a program that is not there.
func load(arguments, environment []string, errors io.Writer, become func(string, []string, []string) error) int {
	if len(arguments) < 2 {
		fmt.Fprintln(errors, "trace-loader CONFIG PROGRAM [ARGUMENT...]")
		return 2
	}
	program, err := exec.LookPath(arguments[1])
	if err != nil {
		fmt.Fprintln(errors, "trace-loader:", err)
		return 127
	}
	if err := become(program, arguments[1:], environment); err != nil {
		fmt.Fprintln(errors, "trace-loader:", err)
		return 126
	}
	return 0
}
