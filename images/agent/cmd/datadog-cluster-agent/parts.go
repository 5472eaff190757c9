package main

import (
	"fmt"
	"strconv"
)

// parts are what the operator switches on and off.
type parts struct{ events, objects bool }

// chosen reads the operator's switches: events are off unless it says so, objects on. The error names a bad value.
func chosen(lookup func(string) (string, bool)) (parts, error) {
	events, err := flag(lookup, "DD_COLLECT_KUBERNETES_EVENTS", false)
	if err != nil {
		return parts{}, err
	}
	objects, err := flag(lookup, "DD_ORCHESTRATOR_EXPLORER_ENABLED", true)
	return parts{events, objects}, err
}

func flag(lookup func(string) (string, bool), name string, fallback bool) (bool, error) {
	text, ok := lookup(name)
	if !ok || text == "" {
		return fallback, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%s must be true or false, not %q", name, text)
	}
	return value, nil
}
