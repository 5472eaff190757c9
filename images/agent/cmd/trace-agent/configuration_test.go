package main

import (
	"strings"
	"testing"

	"github.com/DataDog/datadog-agent/pkg/trace/config"

	"agentstandin/internal/settings"
)

func made(t *testing.T, pairs ...string) (*config.AgentConfig, error) {
	t.Helper()
	environment := map[string]string{}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		environment[name] = value
	}
	lookup := func(name string) (string, bool) { value, ok := environment[name]; return value, ok }
	s, err := settings.From(lookup)
	if err != nil {
		t.Fatal(err)
	}
	return configuration(s, lookup)
}

func TestWhatTheCoreLeavesAtZeroIsSet(t *testing.T) {
	c, err := made(t)
	if err != nil || c.ConnectionLimit == 0 || c.Decoders == 0 || c.DecoderTimeout == 0 || c.MaxConnections == 0 {
		t.Errorf("%v %+v", err, c)
	}
}

func TestTheOperatorsVariables(t *testing.T) {
	c, err := made(t, "DD_API_KEY=0123", "DD_APM_DD_URL=http://intake:8080", "DD_ENV=meshproof", "DD_APM_TARGET_TPS=100000",
		"DD_APM_RECEIVER_PORT=9126", "DD_APM_RECEIVER_SOCKET=/var/run/datadog/apm.socket", "DD_HOSTNAME=node-1",
		"DD_TAGS=team:mesh env:other", "DD_APM_PROFILING_DD_URL=http://intake:8080/api/v2/profile", "DD_APM_TELEMETRY_ENABLED=false")
	if err != nil {
		t.Fatal(err)
	}
	if c.Endpoints[0].Host != "http://intake:8080" || c.Endpoints[0].APIKey != "0123" || c.DefaultEnv != "meshproof" || c.Hostname != "node-1" {
		t.Errorf("%+v", c.Endpoints[0])
	}
	if c.TargetTPS != 100000 || c.ReceiverPort != 9126 || c.ReceiverSocket != "/var/run/datadog/apm.socket" || c.TelemetryConfig.Enabled {
		t.Errorf("%+v", c)
	}
	if c.GlobalTags["team"] != "mesh" || c.GlobalTags["env"] != "" || c.ProfilingProxy.DDURL != "http://intake:8080/api/v2/profile" {
		t.Errorf("%v %s", c.GlobalTags, c.ProfilingProxy.DDURL)
	}
}

func TestOnlyKubernetesOrATrueFlagOpensTheReceiver(t *testing.T) {
	for want, pairs := range map[string][]string{
		"localhost": {"KUBERNETES=yes", "DD_APM_NON_LOCAL_TRAFFIC=false"},
		"0.0.0.0":   {"KUBERNETES=yes"},
	} {
		if c, err := made(t, pairs...); err != nil || c.ReceiverHost != want {
			t.Errorf("%v: %s %v", pairs, c.ReceiverHost, err)
		}
	}
	if c, _ := made(t); c.ReceiverHost != "localhost" {
		t.Error(c.ReceiverHost)
	}
}

func TestFeaturesAreSplitAtCommasAndBlanks(t *testing.T) {
	c, _ := made(t, "DD_APM_FEATURES=disable-convert-traces,429 sqllexer")
	for _, feature := range []string{"disable-convert-traces", "429", "sqllexer"} {
		if !c.HasFeature(feature) {
			t.Error(feature)
		}
	}
}

func TestFilters(t *testing.T) {
	c, err := made(t, `DD_APM_IGNORE_RESOURCES=GET /healthz,"a{1,2}"`, "DD_APM_FILTER_TAGS_REQUIRE=a:1 b", `DD_APM_FILTER_TAGS_REJECT=["c:2 3"]`,
		`DD_APM_FILTER_TAGS_REGEX_REJECT=["http.url:^/internal"]`)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Ignore["resource"], "|"); got != "GET /healthz|a{1,2}" {
		t.Error(got)
	}
	if len(c.RequireTags) != 2 || *c.RequireTags[0] != (config.Tag{K: "a", V: "1"}) || *c.RequireTags[1] != (config.Tag{K: "b"}) {
		t.Errorf("%v", c.RequireTags)
	}
	if len(c.RejectTags) != 1 || *c.RejectTags[0] != (config.Tag{K: "c", V: "2 3"}) {
		t.Errorf("%v", c.RejectTags)
	}
	if len(c.RejectTagsRegex) != 1 || !c.RejectTagsRegex[0].V.MatchString("/internal/x") {
		t.Errorf("%v", c.RejectTagsRegex)
	}
}

func TestReplacementsOfTags(t *testing.T) {
	c, err := made(t, `DD_APM_REPLACE_TAGS=[{"name":"http.url","pattern":"token=[^&]*","repl":"token=?"}]`)
	if err != nil || len(c.ReplaceTags) != 1 || c.ReplaceTags[0].Re.ReplaceAllString("/a?token=1&b", c.ReplaceTags[0].Repl) != "/a?token=?&b" {
		t.Error(err, c.ReplaceTags)
	}
	if _, err := made(t, `DD_APM_REPLACE_TAGS=[{"name":"a","pattern":"("}]`); err == nil {
		t.Error("no error")
	}
}

func TestEveryBadValueIsNamed(t *testing.T) {
	_, err := made(t, "DD_APM_IGNORE_RESOURCES=(", "DD_APM_PEER_TAGS=[1", "DD_APM_COMPUTE_STATS_BY_SPAN_KIND=often", "DD_APM_CONNECTION_LIMIT=-1")
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"DD_APM_IGNORE_RESOURCES", "DD_APM_PEER_TAGS", "DD_APM_COMPUTE_STATS_BY_SPAN_KIND", "DD_APM_CONNECTION_LIMIT"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is missing in %v", name, err)
		}
	}
}

func TestSettingsWithoutEffectAreTold(t *testing.T) {
	got := notFollowed([]string{"DD_APM_MAX_EPS=1", "DD_APM_ENABLED=true", "DD_LOGS_ENABLED=true", "DD_APM_INSTRUMENTATION_ENABLED=false"})
	if strings.Join(got, " ") != "DD_APM_MAX_EPS" {
		t.Error(got)
	}
}
