package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// reader reads variables and remembers each that makes no sense. Of several names the first that is set counts.
type reader struct {
	lookup   func(string) (string, bool)
	problems []error
}

func (r *reader) find(names []string) (name, value string, found bool) {
	for _, name := range names {
		if value, ok := r.lookup(name); ok && strings.TrimSpace(value) != "" {
			return name, strings.TrimSpace(value), true
		}
	}
	return "", "", false
}

func (r *reader) wrong(name, value, want string) {
	r.problems = append(r.problems, fmt.Errorf("%s must be %s, not %q", name, want, value))
}

func (r *reader) text(fallback string, names ...string) string {
	if _, value, ok := r.find(names); ok {
		return value
	}
	return fallback
}

// words splits at any whitespace, without quotes: that is how the agent reads lists from the environment.
func (r *reader) words(names ...string) []string {
	_, value, _ := r.find(names)
	return strings.Fields(value)
}

func (r *reader) flag(fallback bool, names ...string) bool {
	name, value, ok := r.find(names)
	if !ok {
		return fallback
	}
	flag, err := strconv.ParseBool(value)
	if err != nil {
		r.wrong(name, value, "true or false")
		return fallback
	}
	return flag
}

func (r *reader) whole(fallback, least, most int, names ...string) int {
	name, value, ok := r.find(names)
	if !ok {
		return fallback
	}
	number, err := strconv.Atoi(value)
	if err != nil || number < least || number > most {
		r.wrong(name, value, fmt.Sprintf("a whole number from %d to %d", least, most))
		return fallback
	}
	return number
}

func (r *reader) port(fallback int, names ...string) int {
	return r.whole(fallback, 0, 65535, names...)
}

func (r *reader) number(fallback float64, names ...string) float64 {
	name, value, ok := r.find(names)
	if !ok {
		return fallback
	}
	number, err := strconv.ParseFloat(value, 64)
	if err != nil || !(number >= 0) { // not a number is neither
		r.wrong(name, value, "a number from 0 on")
		return fallback
	}
	return number
}

// batchWait is in seconds; fractions are taken, more than the agent's own 5 s is not.
func (r *reader) batchWait(name string) time.Duration {
	seconds := r.number(5, name)
	if seconds <= 0 || seconds > 5 {
		seconds = 5
	}
	return time.Duration(seconds * float64(time.Second))
}

// table is a JSON object of texts; stars in its names are not followed here.
func (r *reader) table(name string) map[string]string {
	_, value, ok := r.find([]string{name})
	if !ok {
		return nil
	}
	var table map[string]string
	if err := json.Unmarshal([]byte(value), &table); err != nil {
		r.wrong(name, value, `a JSON object such as {"app":"kube_app"}`)
		return nil
	}
	for key := range table {
		if strings.Contains(key, "*") {
			r.wrong(name, value, "without stars: patterns of labels are not followed here")
		}
	}
	return table
}

func (r *reader) level(name string) slog.Level {
	_, value, _ := r.find([]string{name})
	switch strings.ToLower(value) {
	case "", "info":
		return slog.LevelInfo
	case "trace", "debug":
		return slog.LevelDebug
	case "warn", "warning":
		return slog.LevelWarn
	case "error", "critical", "off":
		return slog.LevelError
	}
	r.wrong(name, value, "trace, debug, info, warn, error, critical or off")
	return slog.LevelInfo
}

func (r *reader) version(fallback Version, name string) Version {
	_, value, ok := r.find([]string{name})
	if !ok {
		return fallback
	}
	version, err := ParseVersion(value)
	if err != nil {
		r.problems = append(r.problems, fmt.Errorf("%s: %w", name, err))
		return fallback
	}
	return version
}

func (r *reader) address(fallback string, names ...string) string {
	name, value, ok := r.find(names)
	if !ok {
		return fallback
	}
	clean, err := checkAddress(value)
	if err != nil {
		r.problems = append(r.problems, fmt.Errorf("%s must be http(s)://host[:port], not %q: %w", name, Without(value), err))
		return fallback
	}
	return clean
}

// logsAddress takes host:port as well, as the agent does; then DD_LOGS_CONFIG_LOGS_NO_SSL chooses the scheme.
func (r *reader) logsAddress(fallback string) string {
	const name = "DD_LOGS_CONFIG_LOGS_DD_URL"
	_, value, ok := r.find([]string{name})
	if ok && !strings.Contains(value, "://") {
		scheme := "https://"
		if r.flag(false, "DD_LOGS_CONFIG_LOGS_NO_SSL") {
			scheme = "http://"
		}
		clean, err := checkAddress(scheme + value)
		if err != nil {
			r.wrong(name, value, "host:port or http(s)://host[:port]")
			return fallback
		}
		return clean
	}
	return r.address(fallback, name)
}

func checkAddress(text string) (string, error) {
	parsed, err := url.Parse(text)
	if err != nil {
		return "", errors.New("it cannot be read")
	}
	if (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Hostname() == "" {
		return "", errors.New("it needs a scheme and a host")
	}
	return strings.TrimRight(text, "/"), nil
}

// hostname follows the agent on Kubernetes: DD_HOSTNAME, or the node's name with the cluster's behind it.
func (r *reader) hostname(node, cluster string) string {
	if given := r.text("", "DD_HOSTNAME"); given != "" {
		return given
	}
	if node == "" {
		own, _ := os.Hostname()
		return own
	}
	if cluster == "" {
		return node
	}
	return node + "-" + cluster
}
