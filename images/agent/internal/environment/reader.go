// Package environment reads typed values out of environment variables and remembers each that makes no sense.
package environment

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Reader reads variables through Lookup. Of several names the first that is set counts; blanks around a value do not, and
// a value that makes no sense gives way to the fallback.
type Reader struct {
	Lookup   func(string) (string, bool)
	problems []error
}

// Err names every variable so far that made no sense, and its value.
func (r *Reader) Err() error { return errors.Join(r.problems...) }

// Problem remembers what is wrong with a variable.
func (r *Reader) Problem(format string, arguments ...any) {
	r.problems = append(r.problems, fmt.Errorf(format, arguments...))
}

// Wrong remembers a value that is not what it must be.
func (r *Reader) Wrong(name, value, want string) {
	r.Problem("%s must be %s, not %q", name, want, value)
}

// Find is the first of the variables that is set, with its value.
func (r *Reader) Find(names ...string) (name, value string, found bool) {
	for _, name := range names {
		if value, ok := r.Lookup(name); ok && strings.TrimSpace(value) != "" {
			return name, strings.TrimSpace(value), true
		}
	}
	return "", "", false
}

// Text is any value.
func (r *Reader) Text(fallback string, names ...string) string {
	if _, value, ok := r.Find(names...); ok {
		return value
	}
	return fallback
}

// Flag is true or false, in the words that strconv.ParseBool takes.
func (r *Reader) Flag(fallback bool, names ...string) bool {
	name, value, ok := r.Find(names...)
	if !ok {
		return fallback
	}
	flag, err := strconv.ParseBool(value)
	if err != nil {
		r.Wrong(name, value, "true or false")
		return fallback
	}
	return flag
}

// Whole is a whole number from least to most.
func (r *Reader) Whole(fallback, least, most int, names ...string) int {
	name, value, ok := r.Find(names...)
	if !ok {
		return fallback
	}
	number, err := strconv.Atoi(value)
	if err != nil || number < least || number > most {
		r.Wrong(name, value, fmt.Sprintf("a whole number from %d to %d", least, most))
		return fallback
	}
	return number
}

// Number is any number from 0 on.
func (r *Reader) Number(fallback float64, names ...string) float64 {
	name, value, ok := r.Find(names...)
	if !ok {
		return fallback
	}
	number, err := strconv.ParseFloat(value, 64)
	if err != nil || !(number >= 0) { // not a number is neither
		r.Wrong(name, value, "a number from 0 on")
		return fallback
	}
	return number
}
