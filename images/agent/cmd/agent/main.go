// agent is the core agent of the stand-in: it collects the containers' logs and sends metrics, checks and metadata.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"agentstandin/internal/settings"
	"agentstandin/internal/standin"
)

const usage = `usage: agent run | status | workloadfilter | health | hostname | version
`

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// command runs one subcommand; its further arguments, such as -c <file>, are taken and say nothing here. It returns the
// exit code: 0, 1 after a failure, 2 for an environment or an argument that makes no sense.
func command(arguments []string, out, complaints io.Writer) int {
	name := ""
	if len(arguments) > 0 {
		name = arguments[0]
	}
	switch name {
	case "version":
		fmt.Fprintf(out, "Agent %s\n", standin.Version)
		return 0
	case "run", "start", "status", "workloadfilter", "health", "hostname":
	default:
		fmt.Fprint(complaints, usage)
		return 2
	}
	s, err := settings.FromEnvironment()
	if err != nil {
		fmt.Fprintln(complaints, err)
		return 2
	}
	switch name {
	case "hostname":
		fmt.Fprintln(out, s.Hostname)
		return 0
	case "health":
		return show(s.HealthPort, "/ready", out, complaints)
	case "status", "workloadfilter":
		return show(s.StatusPort, "/"+name, out, complaints)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	log := slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: s.LogLevel}))
	return run(ctx, s, log)
}

// show asks the running agent and prints its answer.
func show(port int, path string, out, complaints io.Writer) int {
	client := &http.Client{Timeout: 5 * time.Second}
	response, err := client.Get("http://127.0.0.1:" + strconv.Itoa(port) + path)
	if err != nil {
		fmt.Fprintf(complaints, "the agent does not answer on port %d: does it run?\n", port)
		return 1
	}
	defer response.Body.Close()
	var answer any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		fmt.Fprintf(complaints, "the agent's answer cannot be read: %s\n", err)
		return 1
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(answer)
	if response.StatusCode != http.StatusOK {
		return 1
	}
	return 0
}
