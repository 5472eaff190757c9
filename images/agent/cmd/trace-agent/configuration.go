package main

import (
	"os"
	"slices"
	"strings"
	"time"

	"github.com/DataDog/datadog-agent/pkg/trace/config"

	"agentstandin/internal/environment"
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
	v := &variables{environment.Reader{Lookup: lookup}}
	c := config.New()
	c.AgentVersion = standin.Version
	c.Hostname = s.Hostname
	c.SkipSSLValidation = s.SkipTLSVerify
	c.Endpoints = []*config.Endpoint{{Host: s.APMURL, APIKey: s.APIKey.Reveal()}}
	c.TraceWriter.FlushPeriodSeconds = v.Number(0, "DD_STANDIN_TRACE_FLUSH_SECONDS") // 0: every 5 s, as the agent
	c.MaxSenderRetries = int(v.Number(float64(c.MaxSenderRetries), "DD_APM_MAX_SENDER_RETRIES"))
	if site := v.Text("", "DD_SITE"); site != "" {
		c.Site = site
	}
	setReceiver(c, s, v)
	setSampling(c, s, v)
	setEnv(c, s, v)
	setProxies(c, v)
	for _, feature := range strings.FieldsFunc(strings.Join(s.APM.Features, ","), func(r rune) bool { return r == ',' }) {
		c.Features[feature] = struct{}{}
	}
	c.Ignore["resource"] = v.resources("DD_APM_IGNORE_RESOURCES")
	c.RequireTags, c.RejectTags = v.tags("DD_APM_FILTER_TAGS_REQUIRE"), v.tags("DD_APM_FILTER_TAGS_REJECT")
	c.RequireTagsRegex = v.patterns("DD_APM_FILTER_TAGS_REGEX_REQUIRE")
	c.RejectTagsRegex = v.patterns("DD_APM_FILTER_TAGS_REGEX_REJECT")
	c.ComputeStatsBySpanKind = v.Flag(true, "DD_APM_COMPUTE_STATS_BY_SPAN_KIND")
	c.PeerTagsAggregation = v.Flag(true, "DD_APM_PEER_TAGS_AGGREGATION")
	c.PeerTags = v.list("DD_APM_PEER_TAGS")
	c.ReplaceTags = v.replacements("DD_APM_REPLACE_TAGS")
	setObfuscation(c, v)
	if err := v.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

func setReceiver(c *config.AgentConfig, s settings.Settings, v *variables) {
	c.ReceiverPort, c.ReceiverSocket = s.APM.ReceiverPort, s.APM.Socket
	// In a container the agent listens on every address unless it is told not to.
	_, inKubernetes := v.Lookup("KUBERNETES")
	if v.Flag(inKubernetes, "DD_APM_NON_LOCAL_TRAFFIC") {
		c.ReceiverHost = "0.0.0.0"
	}
	c.ConnectionLimit = int(v.Number(connectionsALease, "DD_APM_CONNECTION_LIMIT"))
	c.MaxConnections = connectionsAtOnce
	c.Decoders = 2
	c.DecoderTimeout = decoderWaitMillis
	c.MaxMemory, c.MaxCPU = 0, 0 // a container's limits are the platform's
	c.DebugServerPort = int(v.Number(5012, "DD_APM_DEBUG_PORT"))
	c.StatsdEnabled = false
	c.ContainerProcRoot = "/proc"
	if _, err := os.Stat("/host/proc/1"); err == nil {
		c.ContainerProcRoot = "/host/proc"
	}
}

func setSampling(c *config.AgentConfig, s settings.Settings, v *variables) {
	c.TargetTPS, c.ErrorTPS = s.APM.TargetTPS, s.APM.ErrorTPS
	c.RareSamplerEnabled = v.Flag(false, "DD_APM_ENABLE_RARE_SAMPLER")
	c.ErrorTrackingStandalone = v.Flag(false, "DD_APM_ERROR_TRACKING_STANDALONE_ENABLED")
}

// setEnv: DD_APM_ENV, then DD_ENV, then a tag env:x. The other tags go onto every span: with Datadog the backend adds
// the host's tags to spans, and the intake of this bed has no hosts to take them from.
func setEnv(c *config.AgentConfig, s settings.Settings, v *variables) {
	env := v.Text("", "DD_APM_ENV")
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
func setProxies(c *config.AgentConfig, v *variables) {
	c.ProfilingProxy.DDURL = v.Text("", "DD_APM_PROFILING_DD_URL")
	c.TelemetryConfig.Enabled = v.Flag(true, "DD_APM_TELEMETRY_ENABLED")
	c.TelemetryConfig.Endpoints = []*config.Endpoint{{Host: config.TelemetryEndpointPrefix + c.Site, APIKey: c.APIKey()}}
	if address := v.Text("", "DD_APM_TELEMETRY_DD_URL"); address != "" {
		c.TelemetryConfig.Endpoints[0].Host = address
	}
	c.EVPProxy.Enabled = false
	c.OpenLineageProxy.Enabled = false
}

// setObfuscation switches on what the agent's own configuration has on by default.
func setObfuscation(c *config.AgentConfig, v *variables) {
	o := c.Obfuscation
	o.ES.Enabled, o.OpenSearch.Enabled, o.Mongo.Enabled = true, true, true
	o.Redis.Enabled, o.Valkey.Enabled, o.Memcached.Enabled = true, true, true
	o.CreditCards.Enabled, o.Cache.Enabled = true, true
	o.Cache.MaxSize = 5_000_000
	o.HTTP.RemoveQueryString = v.Flag(false, "DD_APM_OBFUSCATION_HTTP_REMOVE_QUERY_STRING")
	o.HTTP.RemovePathDigits = v.Flag(false, "DD_APM_OBFUSCATION_HTTP_REMOVE_PATHS_WITH_DIGITS")
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
