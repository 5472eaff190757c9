// Package filter decides which containers the agent collects logs and metrics of, as the modelled release does, and
// says why. Source: comp/core/workloadfilter of DataDog/datadog-agent and the issues named at each rule.
package filter

import (
	"strconv"
	"strings"
	"time"

	"agentstandin/internal/settings"
)

// Product is what is being collected.
type Product string

const (
	Logs    Product = "logs"
	Metrics Product = "metrics" // of checks that autodiscovery starts for a container
	// SharedMetrics is what the checks about all containers (kubelet, container) use: the global lists and those of
	// metrics in one filter, together with the pause containers.
	SharedMetrics Product = "shared-metrics"
)

// Container is what the lists are matched against.
type Container struct {
	Name        string // the container's, never the pod's
	Image       string // as it stands in the pod's spec, letter by letter
	Namespace   string
	Annotations map[string]string // the pod's
	Stopped     bool              // has ended, as init containers do
	StoppedFor  time.Duration     // since when; 0 when it is not known
}

// Decision is the answer, with its reason for people.
type Decision struct {
	Included bool
	Because  string
}

// Filter decides; it does not change after New and is safe from many goroutines.
type Filter struct {
	version    settings.Version
	stoppedAge time.Duration
	global     pair
	products   map[Product]pair
}

// New reads the lists as the given release would. Problems are entries that cannot be used; the Filter works without
// them as that release does.
func New(lists settings.Lists, version settings.Version) (Filter, []Problem) {
	include := entries{"container_include", lists.Include}
	if len(include.words) == 0 {
		include = entries{"ac_include", lists.ACInclude}
	}
	exclude := entries{"container_exclude", lists.Exclude}
	if len(exclude.words) == 0 {
		exclude = entries{"ac_exclude", lists.ACExclude}
	}
	f := Filter{version: version, stoppedAge: lists.StoppedAge, products: map[Product]pair{}}
	var problems []Problem
	build := func(include, exclude []entries) pair {
		made, found := newPair(include, exclude, version)
		for _, problem := range found {
			if !contains(problems, problem) { // a list may stand in two filters
				problems = append(problems, problem)
			}
		}
		return made
	}
	f.global = build([]entries{include}, []entries{exclude})
	includeLogs, excludeLogs := entries{"container_include_logs", lists.IncludeLogs}, entries{"container_exclude_logs", lists.ExcludeLogs}
	includeMetrics, excludeMetrics := entries{"container_include_metrics", lists.IncludeMetrics}, entries{"container_exclude_metrics", lists.ExcludeMetrics}
	f.products[Logs] = build([]entries{includeLogs}, []entries{excludeLogs})
	f.products[Metrics] = build([]entries{includeMetrics}, []entries{excludeMetrics})
	pause := entries{list: "exclude_pause_container"}
	if lists.ExcludePause {
		pause.words = pauseImages
	}
	f.products[SharedMetrics] = build([]entries{include, includeMetrics}, []entries{exclude, excludeMetrics, pause})
	return f, problems
}

func contains(problems []Problem, one Problem) bool {
	for _, problem := range problems {
		if problem == one {
			return true
		}
	}
	return false
}

// Decide says whether the product collects from the container.
func (f Filter) Decide(c Container, product Product) Decision {
	if c.Stopped && product != Logs {
		return Decision{false, "it does not run: only its logs are collected"}
	}
	if c.Stopped && f.stoppedAge > 0 && c.StoppedFor > f.stoppedAge {
		return Decision{false, "it ended longer ago than container_exclude_stopped_age"}
	}
	if stretchesImages(f.version) && c.Image != "" && !strings.Contains(c.Image, ":") {
		c.Image += ":"
	}
	if product != SharedMetrics {
		// An excluded container is no service for autodiscovery at all: no product list can bring it back.
		if annotation := f.annotation(c, ""); annotation != "" {
			return Decision{false, "annotation " + annotation}
		}
		if judged, by := f.global.judge(c); judged == excluded {
			return Decision{false, "excluded by " + by.String()}
		}
	}
	return f.decideProduct(c, product)
}

func (f Filter) decideProduct(c Container, product Product) Decision {
	prefix := "metrics_"
	if product == Logs {
		prefix = "logs_"
	}
	for _, kind := range []string{"", prefix} {
		if annotation := f.annotation(c, kind); annotation != "" {
			return Decision{false, "annotation " + annotation}
		}
	}
	if product != SharedMetrics && f.leaks() {
		if judged, by := f.global.judge(c); judged == included {
			return Decision{true, "included by " + by.String() + ", which in agent " + f.version.String() + " also overrides the lists of " + string(product)}
		}
	}
	switch judged, by := f.products[product].judge(c); judged {
	case included:
		return Decision{true, "included by " + by.String()}
	case excluded:
		return Decision{false, "excluded by " + by.String()}
	}
	return Decision{true, "no filter matches"}
}

// leaks: from 7.69 to 7.72 container_include also won over container_exclude_logs and _metrics (issue fixed by pull
// request 42647, 7.73).
func (f Filter) leaks() bool { return f.version.AtLeast(7, 69) && !f.version.AtLeast(7, 73) }

// annotation is the one that excludes the container: the pod's, or the container's own. A value that is no boolean is
// false.
func (f Filter) annotation(c Container, kind string) string {
	for _, name := range []string{"ad.datadoghq.com/" + kind + "exclude", "ad.datadoghq.com/" + c.Name + "." + kind + "exclude"} {
		if set, err := strconv.ParseBool(c.Annotations[name]); err == nil && set {
			return name
		}
	}
	return ""
}
