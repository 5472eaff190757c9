package settings

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"agentstandin/internal/environment"
)

// reader reads what only the agent's settings hold.
type reader struct{ environment.Reader }

// words splits at any whitespace, without quotes: that is how the agent reads lists from the environment.
func (r *reader) words(names ...string) []string { return strings.Fields(r.Text("", names...)) }

func (r *reader) port(fallback int, names ...string) int {
	return r.Whole(fallback, 0, 65535, names...)
}

// batchWait is in seconds; fractions are taken, more than the agent's own 5 s is not.
func (r *reader) batchWait(name string) time.Duration {
	seconds := r.Number(5, name)
	if seconds <= 0 || seconds > 5 {
		seconds = 5
	}
	return time.Duration(seconds * float64(time.Second))
}

// table is a JSON object of texts; stars in its names are not followed here.
func (r *reader) table(name string) map[string]string {
	_, value, ok := r.Find(name)
	if !ok {
		return nil
	}
	var table map[string]string
	if err := json.Unmarshal([]byte(value), &table); err != nil {
		r.Wrong(name, value, `a JSON object such as {"app":"kube_app"}`)
		return nil
	}
	for key := range table {
		if strings.Contains(key, "*") {
			r.Wrong(name, value, "without stars: patterns of labels are not followed here")
		}
	}
	return table
}

func (r *reader) level(name string) slog.Level {
	_, value, _ := r.Find(name)
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
	r.Wrong(name, value, "trace, debug, info, warn, error, critical or off")
	return slog.LevelInfo
}

func (r *reader) version(fallback Version, name string) Version {
	_, value, ok := r.Find(name)
	if !ok {
		return fallback
	}
	version, err := ParseVersion(value)
	if err != nil {
		r.Problem("%s: %w", name, err)
		return fallback
	}
	return version
}

func (r *reader) address(fallback string, names ...string) string {
	name, value, ok := r.Find(names...)
	if !ok {
		return fallback
	}
	clean, err := checkAddress(value)
	if err != nil {
		r.Problem("%s must be http(s)://host[:port], not %q: %w", name, Without(value), err)
		return fallback
	}
	return clean
}

// logsAddress takes host:port as well, as the agent does; then DD_LOGS_CONFIG_LOGS_NO_SSL chooses the scheme.
func (r *reader) logsAddress(fallback string) string {
	const name = "DD_LOGS_CONFIG_LOGS_DD_URL"
	_, value, ok := r.Find(name)
	if ok && !strings.Contains(value, "://") {
		scheme := "https://"
		if r.Flag(false, "DD_LOGS_CONFIG_LOGS_NO_SSL") {
			scheme = "http://"
		}
		clean, err := checkAddress(scheme + value)
		if err != nil {
			r.Wrong(name, value, "host:port or http(s)://host[:port]")
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
	if given := r.Text("", "DD_HOSTNAME"); given != "" {
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
