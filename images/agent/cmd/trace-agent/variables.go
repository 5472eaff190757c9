package main

import (
	"encoding/csv"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/DataDog/datadog-agent/pkg/trace/config"

	"agentstandin/internal/environment"
)

// variables reads what only the trace-agent knows, in the forms that it takes lists and rules in.
type variables struct{ environment.Reader }

// list reads a JSON array of texts, or words between blanks: the agent takes both for tags.
func (v *variables) list(name string) []string {
	value := v.Text("", name)
	if !strings.HasPrefix(value, "[") {
		return strings.Fields(value)
	}
	var items []string
	if err := json.Unmarshal([]byte(value), &items); err != nil {
		v.Problem("%s is no JSON list of texts: %w", name, err)
	}
	return items
}

// resources reads a line of CSV: patterns may hold commas in quotes.
func (v *variables) resources(name string) []string {
	value := v.Text("", name)
	if value == "" {
		return nil
	}
	patterns, err := csv.NewReader(strings.NewReader(value)).Read()
	if err != nil {
		v.Problem("%s is no comma-separated list: %w", name, err)
	}
	for _, pattern := range patterns {
		if _, err := regexp.Compile(pattern); err != nil {
			v.Problem("%s: %w", name, err)
		}
	}
	return patterns
}

func (v *variables) tags(name string) []*config.Tag {
	var tags []*config.Tag
	for _, item := range v.list(name) {
		key, value, _ := strings.Cut(item, ":")
		tags = append(tags, &config.Tag{K: strings.TrimSpace(key), V: strings.TrimSpace(value)})
	}
	return tags
}

func (v *variables) patterns(name string) []*config.TagRegex {
	var tags []*config.TagRegex
	for _, item := range v.list(name) {
		key, pattern, found := strings.Cut(item, ":")
		tag := &config.TagRegex{K: strings.TrimSpace(key)}
		if found && strings.TrimSpace(pattern) != "" {
			compiled, err := regexp.Compile(strings.TrimSpace(pattern))
			if err != nil {
				v.Problem("%s: %w", name, err)
				continue
			}
			tag.V = compiled
		}
		tags = append(tags, tag)
	}
	return tags
}

// replacements reads [{"name": tag, "pattern": expression, "repl": text}].
func (v *variables) replacements(name string) []*config.ReplaceRule {
	value := v.Text("", name)
	if value == "" {
		return nil
	}
	var given []struct{ Name, Pattern, Repl string }
	if err := json.Unmarshal([]byte(value), &given); err != nil {
		v.Problem("%s is no JSON list of rules: %w", name, err)
	}
	var rules []*config.ReplaceRule
	for _, rule := range given {
		compiled, err := regexp.Compile(rule.Pattern)
		if err != nil || rule.Name == "" || rule.Pattern == "" {
			v.Problem("%s: a rule needs a name and a pattern that can be used, not %q, %q", name, rule.Name, rule.Pattern)
			continue
		}
		rules = append(rules, &config.ReplaceRule{Name: rule.Name, Pattern: rule.Pattern, Re: compiled, Repl: rule.Repl})
	}
	return rules
}
