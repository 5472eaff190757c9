// Package settings is what the Datadog operator tells the agent through DD_* variables, typed and checked once.
package settings

import (
	"errors"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"agentstandin/internal/environment"
	"agentstandin/internal/serviceaccount"
)

// Key is an API key. It never appears in a log or an error: only Reveal gives it.
type Key string

// String hides the key.
func (Key) String() string { return "(hidden)" }

// GoString hides the key from %#v as well.
func (Key) GoString() string { return `"(hidden)"` }

// LogValue hides the key from slog.
func (Key) LogValue() slog.Value { return slog.StringValue("(hidden)") }

// MarshalText hides the key from encoders.
func (Key) MarshalText() ([]byte, error) { return []byte("(hidden)"), nil }

// Reveal is the key itself, for the header that carries it.
func (k Key) Reveal() string { return string(k) }

// Settings is everything that the environment says. Addresses have no slash at the end.
type Settings struct {
	APIKey          Key
	DDURL           string // metrics, check runs, events, metadata
	LogsURL         string
	APMURL          string
	ProcessURL      string
	OrchestratorURL string
	SkipTLSVerify   bool // towards the intake

	Hostname    string // as it stands in every payload
	NodeName    string
	ClusterName string
	Env         string
	Tags        []string // DD_TAGS and DD_EXTRA_TAGS
	LogLevel    slog.Level
	// PodLabelsAsTags maps a pod label to the tag that it becomes.
	PodLabelsAsTags map[string]string

	Kubelet Kubelet
	Logs    Logs
	APM     APM
	Lists   Lists

	Modelled   Version // whose container filter is followed
	HealthPort int     // 0: no health port
	StatusPort int     // on 127.0.0.1, for `agent status`
	ConfDir    string  // where <anything>.yaml and <anything>.d/*.yaml are read
	RunPath    string
}

// Kubelet is how the node's kubelet is reached.
type Kubelet struct {
	Host      string
	Port      int
	TLSVerify bool
	CAFile    string
	TokenFile string
}

// Logs is the log collection.
type Logs struct {
	Enabled        bool
	CollectAll     bool
	PodsPath       string
	RunPath        string // where registry.json is kept
	BatchWait      time.Duration
	BatchLines     int // in one payload
	MaxMessageSize int
	Rules          string // global processing rules: JSON, empty when there are none
	UseCompression bool
}

// APM is the trace-agent.
type APM struct {
	Enabled         bool
	ReceiverPort    int
	NonLocalTraffic bool
	Socket          string
	TargetTPS       float64
	ErrorTPS        float64
	Features        []string
}

// Lists are the container filters, each split by whitespace as the agent does.
type Lists struct {
	Include, Exclude               []string
	IncludeMetrics, ExcludeMetrics []string
	IncludeLogs, ExcludeLogs       []string
	ACInclude, ACExclude           []string
	ExcludePause                   bool
	StoppedAge                     time.Duration
}

// FromEnvironment reads the process's environment. The error names every variable that makes no sense, and its value.
func FromEnvironment() (Settings, error) { return From(os.LookupEnv) }

// From reads the variables through lookup.
func From(lookup func(string) (string, bool)) (Settings, error) {
	r := &reader{environment.Reader{Lookup: lookup}}
	site := r.Text("datadoghq.com", "DD_SITE")
	s := Settings{
		APIKey:          Key(strings.TrimSpace(r.Text("", "DD_API_KEY"))),
		DDURL:           r.address("https://app."+site, "DD_DD_URL", "DD_URL"),
		APMURL:          r.address("https://trace.agent."+site, "DD_APM_DD_URL"),
		LogsURL:         r.logsAddress("https://agent-http-intake.logs." + site),
		ProcessURL:      r.address("https://process."+site, "DD_PROCESS_CONFIG_PROCESS_DD_URL", "DD_PROCESS_AGENT_PROCESS_DD_URL", "DD_PROCESS_CONFIG_URL", "DD_PROCESS_AGENT_URL"),
		OrchestratorURL: r.address("https://orchestrator."+site, "DD_ORCHESTRATOR_EXPLORER_ORCHESTRATOR_DD_URL", "DD_ORCHESTRATOR_URL"),
		SkipTLSVerify:   r.Flag(false, "DD_SKIP_SSL_VALIDATION"),
		NodeName:        r.Text("", "DD_KUBERNETES_KUBELET_NODENAME", "DD_NODE_NAME"),
		ClusterName:     r.Text("", "DD_CLUSTER_NAME"),
		Env:             r.Text("", "DD_ENV"),
		Tags:            append(r.words("DD_TAGS"), r.words("DD_EXTRA_TAGS")...),
		LogLevel:        r.level("DD_LOG_LEVEL"),
		PodLabelsAsTags: r.table("DD_KUBERNETES_POD_LABELS_AS_TAGS"),
		Kubelet: Kubelet{
			Host:      r.Text("", "DD_KUBERNETES_KUBELET_HOST"),
			Port:      r.port(10250, "DD_KUBERNETES_HTTPS_KUBELET_PORT"),
			TLSVerify: r.Flag(true, "DD_KUBELET_TLS_VERIFY"),
			CAFile:    r.Text(serviceaccount.Folder+"/ca.crt", "DD_KUBELET_CLIENT_CA"),
			TokenFile: r.Text(serviceaccount.Folder+"/token", "DD_KUBELET_AUTH_TOKEN_PATH"),
		},
		Logs: Logs{
			Enabled:        r.Flag(false, "DD_LOGS_ENABLED", "DD_LOG_ENABLED"),
			CollectAll:     r.Flag(false, "DD_LOGS_CONFIG_CONTAINER_COLLECT_ALL"),
			PodsPath:       r.Text("/var/log/pods", "DD_LOGS_CONFIG_POD_LOGS_PATH"),
			BatchWait:      r.batchWait("DD_LOGS_CONFIG_BATCH_WAIT"),
			BatchLines:     r.Whole(1000, 1, 1000, "DD_LOGS_CONFIG_BATCH_MAX_SIZE"),
			MaxMessageSize: r.Whole(900_000, 1, 5_000_000, "DD_LOGS_CONFIG_MAX_MESSAGE_SIZE_BYTES"),
			Rules:          r.Text("", "DD_LOGS_CONFIG_PROCESSING_RULES"),
			UseCompression: r.Flag(true, "DD_LOGS_CONFIG_USE_COMPRESSION"),
		},
		APM: APM{
			Enabled:         r.Flag(true, "DD_APM_ENABLED"),
			ReceiverPort:    r.port(8126, "DD_APM_RECEIVER_PORT", "DD_RECEIVER_PORT"),
			NonLocalTraffic: r.Flag(false, "DD_APM_NON_LOCAL_TRAFFIC"),
			Socket:          r.Text("", "DD_APM_RECEIVER_SOCKET"),
			TargetTPS:       r.Number(10, "DD_APM_TARGET_TPS", "DD_APM_MAX_TPS"),
			ErrorTPS:        r.Number(10, "DD_APM_ERROR_TPS"),
			Features:        r.words("DD_APM_FEATURES"),
		},
		Lists: Lists{
			Include:        r.words("DD_CONTAINER_INCLUDE"),
			Exclude:        r.words("DD_CONTAINER_EXCLUDE"),
			IncludeMetrics: r.words("DD_CONTAINER_INCLUDE_METRICS"),
			ExcludeMetrics: r.words("DD_CONTAINER_EXCLUDE_METRICS"),
			IncludeLogs:    r.words("DD_CONTAINER_INCLUDE_LOGS"),
			ExcludeLogs:    r.words("DD_CONTAINER_EXCLUDE_LOGS"),
			ACInclude:      r.words("DD_AC_INCLUDE"),
			ACExclude:      r.words("DD_AC_EXCLUDE"),
			ExcludePause:   r.Flag(true, "DD_EXCLUDE_PAUSE_CONTAINER"),
			StoppedAge:     time.Duration(r.Whole(22, 0, 100_000, "DD_CONTAINER_EXCLUDE_STOPPED_AGE")) * time.Hour,
		},
		Modelled:   r.version(DefaultVersion, "DD_AGENT_VERSION_MODELLED"),
		HealthPort: r.port(0, "DD_HEALTH_PORT"),
		StatusPort: r.port(5001, "DD_CMD_PORT"),
		ConfDir:    r.Text("/etc/datadog-agent/conf.d", "DD_CONFD_PATH"),
		RunPath:    r.Text("/opt/datadog-agent/run", "DD_RUN_PATH"),
	}
	s.Logs.RunPath = r.Text(s.RunPath, "DD_LOGS_CONFIG_RUN_PATH")
	s.Hostname = r.hostname(s.NodeName, s.ClusterName)
	return s, r.Err()
}

// RequireKey complains about a missing API key, with which nothing can be sent.
func (s Settings) RequireKey() error {
	if s.APIKey == "" {
		return errors.New("DD_API_KEY is not set: nothing would be accepted")
	}
	return nil
}

// GlobalTags are the tags that go with everything this host sends.
func (s Settings) GlobalTags() []string {
	tags := append([]string{}, s.Tags...)
	if s.Env != "" {
		tags = append(tags, "env:"+s.Env)
	}
	if s.ClusterName != "" {
		tags = append(tags, "kube_cluster_name:"+s.ClusterName, "cluster_name:"+s.ClusterName)
	}
	return tags
}

// Without returns an address without what could be a secret in it, for logs.
func Without(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "(an address that cannot be read)"
	}
	parsed.User, parsed.RawQuery = nil, ""
	return parsed.String()
}
