package main

import (
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/DataDog/datadog-agent/pkg/trace/config"

	"agentstandin/internal/settings"
	"agentstandin/internal/standin"
)

// What config.New() leaves at zero and the agent's own configuration fills in (comp/trace/config, pkg/config/setup).
const (
	connectionsALease = 2000 // zero would refuse every connection
	connectionsAtOnce = 1000 // on the socket; zero means one
	decoderWaitMillis = 1000
)

// followed are the DD_APM_* variables that have an effect here; the others are told, not silently left out.
var followed = []string{
	"DD_APM_ENABLED", "DD_APM_DD_URL", "DD_APM_ENV", "DD_APM_TARGET_TPS", "DD_APM_MAX_TPS", "DD_APM_ERROR_TPS",
	"DD_APM_RECEIVER_PORT", "DD_APM_RECEIVER_SOCKET", "DD_APM_NON_LOCAL_TRAFFIC", "DD_APM_PROFILING_DD_URL",
	"DD_APM_TELEMETRY_ENABLED", "DD_APM_TELEMETRY_DD_URL", "DD_APM_FEATURES", "DD_APM_IGNORE_RESOURCES",
	"DD_APM_FILTER_TAGS_REQUIRE", "DD_APM_FILTER_TAGS_REJECT", "DD_APM_FILTER_TAGS_REGEX_REQUIRE",
	"DD_APM_FILTER_TAGS_REGEX_REJECT", "DD_APM_COMPUTE_STATS_BY_SPAN_KIND", "DD_APM_PEER_TAGS_AGGREGATION",
	"DD_APM_PEER_TAGS", "DD_APM_ENABLE_RARE_SAMPLER", "DD_APM_DEBUG_PORT", "DD_APM_CONNECTION_LIMIT",
	"DD_APM_MAX_SENDER_RETRIES", "DD_APM_REPLACE_TAGS", "DD_APM_OBFUSCATION_HTTP_REMOVE_QUERY_STRING",
	"DD_APM_OBFUSCATION_HTTP_REMOVE_PATHS_WITH_DIGITS", "DD_APM_ERROR_TRACKING_STANDALONE_ENABLED",
	"DD_APM_NET_RECEIVER_FD", "DD_APM_UNIX_RECEIVER_FD",
}

// configuration maps the environment to the trace-agent's own configuration. The error names every bad value.
func configuration(s settings.Settings, lookup func(string) (string, bool)) (*config.AgentConfig, error) {
	e := &environment{lookup: lookup}
	c := config.New()
	c.AgentVersion = standin.Version
	c.Hostname = s.Hostname
	c.SkipSSLValidation = s.SkipTLSVerify
	c.Endpoints = []*config.Endpoint{{Host: s.APMURL, APIKey: s.APIKey.Reveal()}}
	c.TraceWriter.FlushPeriodSeconds = e.number("DD_STANDIN_TRACE_FLUSH_SECONDS", 0) // 0: every 5 s, as the agent
	c.MaxSenderRetries = int(e.number("DD_APM_MAX_SENDER_RETRIES", float64(c.MaxSenderRetries)))
	if site := e.text("DD_SITE"); site != "" {
		c.Site = site
	}
	setReceiver(c, s, e)
	setSampling(c, s, e)
	setEnv(c, s, e)
	setProxies(c, e)
	for _, feature := range strings.FieldsFunc(strings.Join(s.APM.Features, ","), func(r rune) bool { return r == ',' }) {
		c.Features[feature] = struct{}{}
	}
	c.Ignore["resource"] = e.resources("DD_APM_IGNORE_RESOURCES")
	c.RequireTags, c.RejectTags = e.tags("DD_APM_FILTER_TAGS_REQUIRE"), e.tags("DD_APM_FILTER_TAGS_REJECT")
	c.RequireTagsRegex = e.patterns("DD_APM_FILTER_TAGS_REGEX_REQUIRE")
	c.RejectTagsRegex = e.patterns("DD_APM_FILTER_TAGS_REGEX_REJECT")
	c.ComputeStatsBySpanKind = e.flag("DD_APM_COMPUTE_STATS_BY_SPAN_KIND", true)
	c.PeerTagsAggregation = e.flag("DD_APM_PEER_TAGS_AGGREGATION", true)
	c.PeerTags = e.list("DD_APM_PEER_TAGS")
	c.ReplaceTags = e.replacements("DD_APM_REPLACE_TAGS")
	setObfuscation(c, e)
	if len(e.problems) > 0 {
		return nil, errors.New(strings.Join(e.problems, "; "))
	}
	return c, nil
}

func setReceiver(c *config.AgentConfig, s settings.Settings, e *environment) {
	c.ReceiverPort, c.ReceiverSocket = s.APM.ReceiverPort, s.APM.Socket
	// In a container the agent listens on every address unless it is told not to.
	_, inKubernetes := e.lookup("KUBERNETES")
	if e.flag("DD_APM_NON_LOCAL_TRAFFIC", inKubernetes) {
		c.ReceiverHost = "0.0.0.0"
	}
	c.ConnectionLimit = int(e.number("DD_APM_CONNECTION_LIMIT", connectionsALease))
	c.MaxConnections = connectionsAtOnce
	c.Decoders = 2
	c.DecoderTimeout = decoderWaitMillis
	c.MaxMemory, c.MaxCPU = 0, 0 // a container's limits are the platform's
	c.DebugServerPort = int(e.number("DD_APM_DEBUG_PORT", 5012))
	c.StatsdEnabled = false
	c.ContainerProcRoot = "/proc"
	if _, err := os.Stat("/host/proc/1"); err == nil {
		c.ContainerProcRoot = "/host/proc"
	}
}

func setSampling(c *config.AgentConfig, s settings.Settings, e *environment) {
	c.TargetTPS, c.ErrorTPS = s.APM.TargetTPS, s.APM.ErrorTPS
	c.RareSamplerEnabled = e.flag("DD_APM_ENABLE_RARE_SAMPLER", false)
	c.ErrorTrackingStandalone = e.flag("DD_APM_ERROR_TRACKING_STANDALONE_ENABLED", false)
}

// setEnv: DD_APM_ENV, then DD_ENV, then a tag env:x. The other tags go onto every span: with Datadog the backend adds
// the host's tags to spans, and the intake of this bed has no hosts to take them from.
func setEnv(c *config.AgentConfig, s settings.Settings, e *environment) {
	env := e.text("DD_APM_ENV")
	if env == "" {
		env = s.Env
	}
	for _, tag := range s.Tags {
		key, value, found := strings.Cut(tag, ":")
		switch {
		case !found || key == "":
		case key == "env":
			if env == "" {
				env = value
			}
		default:
			c.GlobalTags[key] = value
		}
	}
	if env != "" {
		c.DefaultEnv = env
	}
}

// setProxies: profiles and tracer telemetry are passed on; the proxies that always go to Datadog's own hosts are off.
func setProxies(c *config.AgentConfig, e *environment) {
	c.ProfilingProxy.DDURL = e.text("DD_APM_PROFILING_DD_URL")
	c.TelemetryConfig.Enabled = e.flag("DD_APM_TELEMETRY_ENABLED", true)
	c.TelemetryConfig.Endpoints = []*config.Endpoint{{Host: config.TelemetryEndpointPrefix + c.Site, APIKey: c.APIKey()}}
	if address := e.text("DD_APM_TELEMETRY_DD_URL"); address != "" {
		c.TelemetryConfig.Endpoints[0].Host = address
	}
	c.EVPProxy.Enabled = false
	c.OpenLineageProxy.Enabled = false
}

// setObfuscation switches on what the agent's own configuration has on by default.
func setObfuscation(c *config.AgentConfig, e *environment) {
	o := c.Obfuscation
	o.ES.Enabled, o.OpenSearch.Enabled, o.Mongo.Enabled = true, true, true
	o.Redis.Enabled, o.Valkey.Enabled, o.Memcached.Enabled = true, true, true
	o.CreditCards.Enabled, o.Cache.Enabled = true, true
	o.Cache.MaxSize = 5_000_000
	o.HTTP.RemoveQueryString = e.flag("DD_APM_OBFUSCATION_HTTP_REMOVE_QUERY_STRING", false)
	o.HTTP.RemovePathDigits = e.flag("DD_APM_OBFUSCATION_HTTP_REMOVE_PATHS_WITH_DIGITS", false)
}

// notFollowed are the DD_APM_* variables of the environment that have no effect here.
func notFollowed(environ []string) []string {
	var names []string
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "DD_APM_") && !slices.Contains(followed, name) && !strings.HasPrefix(name, "DD_APM_INSTRUMENTATION") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// endLimit is how long a flush may take after SIGTERM.
const endLimit = 1800 * time.Millisecond
