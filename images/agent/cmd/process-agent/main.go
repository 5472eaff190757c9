// process-agent is what operators start beside agents before 7.60; since then `agent` sends containers itself.
package main

import (
	"os"

	"agentstandin/internal/idle"
)

func main() {
	os.Exit(idle.Main("process-agent", []string{"npm"}, os.Args[1:], os.Stdout))
}
