package filter

import (
	"fmt"
	"regexp"
	"strings"

	"agentstandin/internal/settings"
)

// Problem is an entry of a list that cannot be used, and what follows from that in the modelled release.
type Problem struct {
	List, Entry, Detail, Effect string
}

func (p Problem) String() string {
	return fmt.Sprintf("%s: %q: %s; %s", p.List, p.Entry, p.Detail, p.Effect)
}

// generation is how a release deals with entries that it cannot use.
type generation int

const (
	// Before 7.69: one bad regular expression switches off both lists of its filter; an unknown prefix is only told.
	// (Pull request 33312 of January 2025 softened this somewhere within the generation; from which release on is not known.)
	wholeFilter generation = iota
	// 7.69 to 7.72, lists turned into CEL: any bad entry switches off its own list, the other one stays.
	wholeList
	// From 7.73 on (pull request 41958, October 2025, next to the CEL option of 7.73): bad entries are left out one by one.
	entryByEntry
)

func generationOf(v settings.Version) generation {
	switch {
	case v.AtLeast(7, 73):
		return entryByEntry
	case v.AtLeast(7, 69):
		return wholeList
	}
	return wholeFilter
}

// Image expressions that end in $ reach over tag and digest since pull request 32013 (December 2024).
func stretchesImages(v settings.Version) bool { return v.AtLeast(7, 63) }

var fields = []string{"image", "name", "kube_namespace"}

type rule struct {
	list, entry, field string
	expression         *regexp.Regexp
}

func (r rule) matches(c Container) bool { return r.expression.MatchString(r.value(c)) }

func (r rule) value(c Container) string {
	switch r.field {
	case "image":
		return c.Image
	case "name":
		return c.Name
	}
	return c.Namespace
}

func (r rule) String() string { return r.list + " " + r.entry }

// entries are the words of one list, with its name for explanations.
type entries struct {
	list  string
	words []string
}

// parse makes rules of one list. fatal are the problems that count for the list or filter, warnings those that do not.
func parse(from []entries, of generation, stretch bool) (rules []rule, fatal, warnings []Problem) {
	for _, list := range from {
		for _, word := range list.words {
			made, detail, unknown := parseEntry(list.list, word, stretch)
			switch {
			case detail == "":
				rules = append(rules, made)
			case unknown && of == wholeFilter:
				warnings = append(warnings, Problem{list.list, word, detail, "this entry is left out"})
			default:
				fatal = append(fatal, Problem{List: list.list, Entry: word, Detail: detail})
			}
		}
	}
	return rules, fatal, warnings
}

func parseEntry(list, word string, stretch bool) (made rule, detail string, unknown bool) {
	for _, field := range fields {
		text, ok := strings.CutPrefix(word, field+":")
		if !ok {
			continue
		}
		if field == "image" && stretch {
			text = stretched(text)
		}
		expression, err := regexp.Compile(text)
		if err != nil {
			return rule{}, "bad regular expression: " + err.Error(), false
		}
		return rule{list: list, entry: word, field: field, expression: expression}, "", false
	}
	return rule{}, "unknown filter: image:, name: and kube_namespace: are known", true
}

// stretched lets name$ match name with any tag or digest; an expression with a colon has said what it wants.
func stretched(text string) string {
	if head, ok := strings.CutSuffix(text, "$"); ok && !strings.Contains(text, ":") {
		return head + "(@sha256)?:.*"
	}
	return text
}

// pair is one filter: what it includes comes before what it excludes.
type pair struct{ include, exclude []rule }

func newPair(include, exclude []entries, version settings.Version) (pair, []Problem) {
	of, stretch := generationOf(version), stretchesImages(version)
	in, inFatal, inWarnings := parse(include, of, stretch)
	out, outFatal, outWarnings := parse(exclude, of, stretch)
	problems := append(inWarnings, outWarnings...)
	switch of {
	case wholeFilter:
		if len(inFatal)+len(outFatal) > 0 {
			in, out = nil, nil
			problems = append(problems, with(append(inFatal, outFatal...), "agent "+version.String()+" then filters nothing with this include list and its exclude list")...)
		}
	case wholeList:
		if len(inFatal) > 0 {
			in = nil
		}
		if len(outFatal) > 0 {
			out = nil
		}
		problems = append(problems, with(append(inFatal, outFatal...), "agent "+version.String()+" then ignores this whole list")...)
	default:
		problems = append(problems, with(append(inFatal, outFatal...), "this entry is left out")...)
	}
	return pair{in, out}, problems
}

func with(problems []Problem, effect string) []Problem {
	for i := range problems {
		problems[i].Effect = effect
	}
	return problems
}

type verdict int

const (
	unknown verdict = iota
	included
	excluded
)

// judge asks include-image, include-name, include-namespace, then the same three of the exclude list.
func (p pair) judge(c Container) (verdict, rule) {
	for _, field := range fields {
		for _, r := range p.include {
			if r.field == field && r.matches(c) {
				return included, r
			}
		}
	}
	for _, field := range fields {
		for _, r := range p.exclude {
			if r.field == field && r.value(c) != "" && r.matches(c) {
				return excluded, r
			}
		}
	}
	return unknown, rule{}
}
