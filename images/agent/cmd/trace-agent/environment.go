package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/DataDog/datadog-agent/pkg/trace/config"
)

// environment reads what only the trace-agent knows; every value that makes no sense is remembered.
type environment struct {
	lookup   func(string) (string, bool)
	problems []string
}

func (e *environment) text(name string) string {
	value, _ := e.lookup(name)
	return strings.TrimSpace(value)
}

func (e *environment) flag(name string, fallback bool) bool {
	value := e.text(name)
	if value == "" {
		return fallback
	}
	flag, err := strconv.ParseBool(value)
	if err != nil {
		e.problems = append(e.problems, fmt.Sprintf("%s must be true or false, not %q", name, value))
		return fallback
	}
	return flag
}

func (e *environment) number(name string, fallback float64) float64 {
	value := e.text(name)
	if value == "" {
		return fallback
	}
	number, err := strconv.ParseFloat(value, 64)
	if err != nil || !(number >= 0) {
		e.problems = append(e.problems, fmt.Sprintf("%s must be a number from 0 on, not %q", name, value))
		return fallback
	}
	return number
}

// list reads a JSON array of texts, or words between blanks: the agent takes both for tags.
func (e *environment) list(name string) []string {
	value := e.text(name)
	if !strings.HasPrefix(value, "[") {
		return strings.Fields(value)
	}
	var items []string
	if err := json.Unmarshal([]byte(value), &items); err != nil {
		e.problems = append(e.problems, fmt.Sprintf("%s is no JSON list of texts: %v", name, err))
	}
	return items
}

// resources reads a line of CSV: patterns may hold commas in quotes.
func (e *environment) resources(name string) []string {
	value := e.text(name)
	if value == "" {
		return nil
	}
	patterns, err := csv.NewReader(strings.NewReader(value)).Read()
	if err != nil {
		e.problems = append(e.problems, fmt.Sprintf("%s is no comma-separated list: %v", name, err))
	}
	for _, pattern := range patterns {
		if _, err := regexp.Compile(pattern); err != nil {
			e.problems = append(e.problems, fmt.Sprintf("%s: %v", name, err))
		}
	}
	return patterns
}

func (e *environment) tags(name string) []*config.Tag {
	var tags []*config.Tag
	for _, item := range e.list(name) {
		key, value, _ := strings.Cut(item, ":")
		tags = append(tags, &config.Tag{K: strings.TrimSpace(key), V: strings.TrimSpace(value)})
	}
	return tags
}

func (e *environment) patterns(name string) []*config.TagRegex {
	var tags []*config.TagRegex
	for _, item := range e.list(name) {
		key, pattern, found := strings.Cut(item, ":")
		tag := &config.TagRegex{K: strings.TrimSpace(key)}
		if found && strings.TrimSpace(pattern) != "" {
			compiled, err := regexp.Compile(strings.TrimSpace(pattern))
			if err != nil {
				e.problems = append(e.problems, fmt.Sprintf("%s: %v", name, err))
				continue
			}
			tag.V = compiled
		}
		tags = append(tags, tag)
	}
	return tags
}

// replacements reads [{"name": tag, "pattern": expression, "repl": text}].
func (e *environment) replacements(name string) []*config.ReplaceRule {
	value := e.text(name)
	if value == "" {
		return nil
	}
	var given []struct{ Name, Pattern, Repl string }
	if err := json.Unmarshal([]byte(value), &given); err != nil {
		e.problems = append(e.problems, fmt.Sprintf("%s is no JSON list of rules: %v", name, err))
	}
	var rules []*config.ReplaceRule
	for _, rule := range given {
		compiled, err := regexp.Compile(rule.Pattern)
		if err != nil || rule.Name == "" || rule.Pattern == "" {
			e.problems = append(e.problems, fmt.Sprintf("%s: a rule needs a name and a pattern that can be used, not %q, %q", name, rule.Name, rule.Pattern))
			continue
		}
		rules = append(rules, &config.ReplaceRule{Name: rule.Name, Pattern: rule.Pattern, Re: compiled, Repl: rule.Repl})
	}
	return rules
}
