package logs

import (
	"encoding/json"
	"fmt"
	"regexp"
)

// Rule is one of Datadog's log processing rules.
type Rule struct {
	Type        string `json:"type"`
	Name        string `json:"name"`
	Pattern     string `json:"pattern"`
	Placeholder string `json:"replace_placeholder"`

	expression *regexp.Regexp
}

const (
	excludeAtMatch = "exclude_at_match"
	includeAtMatch = "include_at_match"
	maskSequences  = "mask_sequences"
	multiLine      = "multi_line"
)

// compile makes the rules usable; the error names the rule that is not.
func compile(rules []Rule) error {
	for i := range rules {
		rule := &rules[i]
		pattern := rule.Pattern
		switch rule.Type {
		case multiLine:
			pattern = "^" + pattern // the agent looks for it at the beginning of a line only
		case excludeAtMatch, includeAtMatch, maskSequences:
		default:
			return fmt.Errorf("log processing rule %q: the type %q is not known here", rule.Name, rule.Type)
		}
		if rule.Pattern == "" {
			return fmt.Errorf("log processing rule %q has no pattern", rule.Name)
		}
		expression, err := regexp.Compile(pattern)
		if err != nil {
			return fmt.Errorf("log processing rule %q: %w", rule.Name, err)
		}
		rule.expression = expression
	}
	return nil
}

// globalRules reads DD_LOGS_CONFIG_PROCESSING_RULES.
func globalRules(text string) ([]Rule, error) {
	if text == "" {
		return nil, nil
	}
	var rules []Rule
	if err := json.Unmarshal([]byte(text), &rules); err != nil {
		return nil, fmt.Errorf("DD_LOGS_CONFIG_PROCESSING_RULES must be a JSON array of rules: %w", err)
	}
	if err := compile(rules); err != nil {
		return nil, fmt.Errorf("DD_LOGS_CONFIG_PROCESSING_RULES: %w", err)
	}
	return rules, nil
}

// applyRules is the line after all rules in their order; false when one of them drops it.
func applyRules(rules []Rule, text []byte) ([]byte, bool) {
	for _, rule := range rules {
		switch rule.Type {
		case excludeAtMatch:
			if rule.expression.Match(text) {
				return nil, false
			}
		case includeAtMatch:
			if !rule.expression.Match(text) {
				return nil, false
			}
		case maskSequences:
			text = rule.expression.ReplaceAll(text, []byte(rule.Placeholder))
		}
	}
	return text, true
}

// joining is the expression that a multi-line message begins with, or nil. The last such rule counts.
func joining(rules []Rule) *regexp.Regexp {
	var found *regexp.Regexp
	for _, rule := range rules {
		if rule.Type == multiLine {
			found = rule.expression
		}
	}
	return found
}
