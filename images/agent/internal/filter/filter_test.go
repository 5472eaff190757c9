package filter

import (
	"strings"
	"testing"
	"time"

	"agentstandin/internal/settings"
)

var (
	current = settings.Version{Major: 7, Minor: 84, Patch: 1}
	leaking = settings.Version{Major: 7, Minor: 71, Patch: 2}
	early   = settings.Version{Major: 7, Minor: 68, Patch: 3}
)

func lists(pairs ...string) settings.Lists {
	l := settings.Lists{ExcludePause: true, StoppedAge: 22 * time.Hour}
	into := map[string]*[]string{
		"include": &l.Include, "exclude": &l.Exclude, "include_logs": &l.IncludeLogs, "exclude_logs": &l.ExcludeLogs,
		"include_metrics": &l.IncludeMetrics, "exclude_metrics": &l.ExcludeMetrics, "ac_include": &l.ACInclude, "ac_exclude": &l.ACExclude,
	}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		*into[name] = strings.Fields(value)
	}
	return l
}

var proxy = Container{Name: "istio-proxy", Image: "docker.io/istio/proxyv2:1.31.0", Namespace: "apps"}

func TestLogs(t *testing.T) {
	bare := Container{Name: "istio-proxy", Image: "istio/proxyv2", Namespace: "apps"}
	digest := Container{Name: "istio-proxy", Image: "istio/proxyv2@sha256:0123", Namespace: "apps"}
	for _, try := range []struct {
		what     string
		lists    settings.Lists
		c        Container
		version  settings.Version
		included bool
		because  string
	}{
		{"nothing is set", lists(), proxy, current, true, "no filter matches"},
		{"an anchored name", lists("exclude_logs=name:^istio-proxy$"), proxy, current, false, "container_exclude_logs name:^istio-proxy$"},
		{"a search is unanchored", lists("exclude_logs=name:istio"), proxy, current, false, "name:istio"},
		{"an anchored name that is only a part", lists("exclude_logs=name:^istio$"), proxy, current, true, "no filter"},
		{"case matters", lists("exclude_logs=name:ISTIO"), proxy, current, true, "no filter"},
		{"the name is not the pod's", lists("exclude_logs=name:goapi"), proxy, current, true, "no filter"},
		{"a namespace", lists("exclude_logs=kube_namespace:^apps$"), proxy, current, false, "kube_namespace:^apps$"},
		{"include comes before exclude", lists("include_logs=name:istio", "exclude_logs=kube_namespace:.*"), proxy, current, true, "container_include_logs name:istio"},
		{"an include by name beats an exclude by image", lists("include_logs=name:istio", "exclude_logs=image:.*"), proxy, current, true, "included"},
		{"an include of something else does not exclude", lists("include_logs=name:other"), proxy, current, true, "no filter"},

		{"the global list is asked first", lists("exclude=name:istio"), proxy, current, false, "container_exclude name:istio"},
		{"include_logs cannot rescue from the global exclude", lists("exclude=name:istio", "include_logs=name:istio"), proxy, current, false, "container_exclude "},
		{"include rescues from the global exclude", lists("exclude=name:istio", "include=kube_namespace:apps"), proxy, current, true, "no filter"},
		{"include does not override exclude_logs", lists("include=kube_namespace:apps", "exclude_logs=name:^istio-proxy$"), proxy, current, false, "container_exclude_logs"},
		{"exclude_metrics says nothing about logs", lists("exclude_metrics=name:istio"), proxy, current, true, "no filter"},
		{"ac_exclude stands in for an empty list", lists("ac_exclude=name:istio"), proxy, current, false, "ac_exclude"},
		{"ac_exclude is not read beside container_exclude", lists("ac_exclude=name:istio", "exclude=name:other"), proxy, current, true, "no filter"},

		{"7.71: include overrides exclude_logs", lists("include=kube_namespace:apps", "exclude_logs=name:^istio-proxy$"), proxy, leaking, true, "also overrides"},
		{"7.71: but not the global exclude of others", lists("include=kube_namespace:other", "exclude=name:istio"), proxy, leaking, false, "container_exclude"},
		{"7.71: an annotation beats the leak", lists("include=kube_namespace:apps"), annotated("ad.datadoghq.com/logs_exclude", "true"), leaking, false, "annotation"},
		{"7.68: include does not override exclude_logs", lists("include=kube_namespace:apps", "exclude_logs=name:^istio-proxy$"), proxy, early, false, "container_exclude_logs"},
		{"7.73: fixed", lists("include=kube_namespace:apps", "exclude_logs=name:^istio-proxy$"), proxy, settings.Version{Major: 7, Minor: 73}, false, "container_exclude_logs"},

		{"the image is matched as it is written", lists("exclude_logs=image:^istio/proxyv2"), proxy, current, true, "no filter"},
		{"with the registry", lists("exclude_logs=image:^docker.io/istio/proxyv2"), proxy, current, false, "image:"},
		{"unanchored it does not matter", lists("exclude_logs=image:istio/proxyv2"), proxy, current, false, "image:"},
		{"image$ reaches over the tag", lists("exclude_logs=image:^docker.io/istio/proxyv2$"), proxy, current, false, "image:"},
		{"image$ reaches over the digest", lists("exclude_logs=image:^istio/proxyv2$"), digest, current, false, "image:"},
		{"image$ matches an image without tag", lists("exclude_logs=image:^istio/proxyv2$"), bare, current, false, "image:"},
		{"image$ does not match a longer name", lists("exclude_logs=image:^docker.io/istio/proxy$"), proxy, current, true, "no filter"},
		{"an expression with a colon is left alone", lists("exclude_logs=image:^localhost:5000/x$"), Container{Image: "localhost:5000/x:1"}, current, true, "no filter"},
		{"and matches what it says", lists("exclude_logs=image:^localhost:5000/x$"), Container{Image: "localhost:5000/x"}, current, false, "image:"},
		{"the colon is asked for in an image without tag", lists("exclude_logs=image:proxyv2:"), bare, current, false, "image:"},
		{"before 7.63 image$ means the end", lists("exclude_logs=image:^docker.io/istio/proxyv2$"), proxy, settings.Version{Major: 7, Minor: 62}, true, "no filter"},
		{"before 7.63 no colon is appended", lists("exclude_logs=image:^istio/proxyv2$"), bare, settings.Version{Major: 7, Minor: 62}, false, "image:"},

		{"an empty value is never excluded", lists("exclude_logs=name:.*"), Container{Image: "x"}, current, true, "no filter"},
		{"but includes are tried against it", lists("include_logs=name:^$", "exclude_logs=image:x"), Container{Image: "x"}, current, true, "include_logs"},

		{"pause images are no matter of logs", lists(), Container{Name: "p", Image: "registry.k8s.io/pause:3.10"}, current, true, "no filter"},
		{"an init container's logs are kept", lists(), Container{Name: "istio-init", Image: "x:1", Stopped: true, StoppedFor: time.Hour}, current, true, "no filter"},
		{"long ended", lists(), Container{Name: "istio-init", Image: "x:1", Stopped: true, StoppedFor: 23 * time.Hour}, current, false, "stopped_age"},
	} {
		t.Run(try.what, func(t *testing.T) {
			f, problems := New(try.lists, try.version)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if got := f.Decide(try.c, Logs); got.Included != try.included || !strings.Contains(got.Because, try.because) {
				t.Errorf("%+v, wanted %v because of %q", got, try.included, try.because)
			}
		})
	}
}

func annotated(pairs ...string) Container {
	c := proxy
	c.Annotations = map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		c.Annotations[pairs[i]] = pairs[i+1]
	}
	return c
}

func TestAnnotations(t *testing.T) {
	all := lists("include=name:.*", "include_logs=name:.*", "include_metrics=name:.*")
	for _, try := range []struct {
		name, value   string
		logs, metrics bool
	}{
		{"ad.datadoghq.com/exclude", "true", false, false},
		{"ad.datadoghq.com/exclude", "1", false, false},
		{"ad.datadoghq.com/exclude", "T", false, false},
		{"ad.datadoghq.com/exclude", "yes", true, true}, // not a boolean: false
		{"ad.datadoghq.com/exclude", "false", true, true},
		{"ad.datadoghq.com/logs_exclude", "true", false, true},
		{"ad.datadoghq.com/metrics_exclude", "true", true, false},
		{"ad.datadoghq.com/istio-proxy.exclude", "true", false, false},
		{"ad.datadoghq.com/istio-proxy.logs_exclude", "TRUE", false, true},
		{"ad.datadoghq.com/istio-proxy.metrics_exclude", "true", true, false},
		{"ad.datadoghq.com/goapi.exclude", "true", true, true}, // another container's
	} {
		f, _ := New(all, current)
		c := annotated(try.name, try.value)
		if got := f.Decide(c, Logs); got.Included != try.logs {
			t.Errorf("%s=%s: logs %+v", try.name, try.value, got)
		}
		for _, product := range []Product{Metrics, SharedMetrics} {
			if got := f.Decide(c, product); got.Included != try.metrics {
				t.Errorf("%s=%s: %s %+v", try.name, try.value, product, got)
			}
		}
	}
}

func TestMetrics(t *testing.T) {
	pause := Container{Name: "pause", Image: "registry.k8s.io/pause:3.10", Namespace: "apps"}
	kept := lists()
	kept.ExcludePause = false
	for _, try := range []struct {
		what            string
		lists           settings.Lists
		c               Container
		metrics, shared bool
	}{
		{"exclude_metrics", lists("exclude_metrics=name:istio"), proxy, false, false},
		{"exclude_logs says nothing about metrics", lists("exclude_logs=name:istio"), proxy, true, true},
		{"include_metrics rescues only in the shared filter", lists("exclude=name:istio", "include_metrics=name:istio"), proxy, false, true},
		{"pause containers", lists(), pause, true, false},
		{"pause containers, when they are wanted", kept, pause, true, true},
		{"a container that has ended", lists(), Container{Name: "i", Image: "x", Stopped: true}, false, false},
	} {
		f, _ := New(try.lists, current)
		if got := f.Decide(try.c, Metrics); got.Included != try.metrics {
			t.Errorf("%s: metrics %+v", try.what, got)
		}
		if got := f.Decide(try.c, SharedMetrics); got.Included != try.shared {
			t.Errorf("%s: shared %+v", try.what, got)
		}
	}
}

func TestBadEntriesInEachGeneration(t *testing.T) {
	badExclude := lists("include_logs=name:goapi", "exclude_logs=name:istio name:(?!x)")
	badPrefix := lists("exclude_logs=name:istio pod:x")
	noColon := lists("exclude_logs=name:istio .*")
	goapi := Container{Name: "goapi", Image: "goapi:1", Namespace: "apps"}
	for _, try := range []struct {
		what     string
		lists    settings.Lists
		version  settings.Version
		excluded bool // of the proxy
		effect   string
	}{
		{"7.68: a bad expression switches the filter off", badExclude, early, false, "filters nothing"},
		{"7.68: an unknown prefix is only told", badPrefix, early, true, "left out"},
		{"7.68: no prefix is only told", noColon, early, true, "left out"},
		{"7.71: a bad expression switches its list off", badExclude, leaking, false, "ignores this whole list"},
		{"7.71: an unknown prefix switches its list off", badPrefix, leaking, false, "ignores this whole list"},
		{"7.71: no prefix switches its list off", noColon, leaking, false, "ignores this whole list"},
		{"7.84: a bad expression is left out", badExclude, current, true, "left out"},
		{"7.84: an unknown prefix is left out", badPrefix, current, true, "left out"},
		{"7.84: no prefix is left out", noColon, current, true, "left out"},
	} {
		t.Run(try.what, func(t *testing.T) {
			f, problems := New(try.lists, try.version)
			if got := f.Decide(proxy, Logs); got.Included == try.excluded {
				t.Errorf("%+v", got)
			}
			if got := f.Decide(goapi, Logs); !got.Included {
				t.Errorf("goapi: %+v", got)
			}
			if len(problems) != 1 || problems[0].List != "container_exclude_logs" || !strings.Contains(problems[0].String(), try.effect) {
				t.Errorf("%v", problems)
			}
		})
	}
}

func TestABadIncludeLeavesTheExcludeInTheMiddleGeneration(t *testing.T) {
	f, _ := New(lists("include_logs=name:(", "exclude_logs=name:istio"), leaking)
	if got := f.Decide(proxy, Logs); got.Included {
		t.Errorf("%+v", got)
	}
	f, _ = New(lists("include_logs=name:(", "exclude_logs=name:istio"), early)
	if got := f.Decide(proxy, Logs); !got.Included {
		t.Errorf("%+v", got)
	}
}

func TestThePrefixIsLiteral(t *testing.T) {
	for _, entry := range []string{"Name:istio", "names:istio", "kube_namespaces:apps", "istio"} {
		f, problems := New(lists("exclude_logs="+entry), current)
		if got := f.Decide(proxy, Logs); !got.Included || len(problems) != 1 {
			t.Errorf("%s: %+v %v", entry, got, problems)
		}
	}
}

func TestTheSharedFilterRepeatsNoProblem(t *testing.T) {
	_, problems := New(lists("exclude=name:("), current)
	if len(problems) != 1 {
		t.Error(problems)
	}
}
