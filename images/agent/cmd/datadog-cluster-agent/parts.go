package main

import "agentstandin/internal/environment"

// parts are what the operator switches on and off.
type parts struct{ events, objects bool }

// chosen reads the operator's switches: events are off unless it says so, objects on. The error names a bad value.
func chosen(lookup func(string) (string, bool)) (parts, error) {
	r := environment.Reader{Lookup: lookup}
	made := parts{events: r.Flag(false, "DD_COLLECT_KUBERNETES_EVENTS"), objects: r.Flag(true, "DD_ORCHESTRATOR_EXPLORER_ENABLED")}
	return made, r.Err()
}
