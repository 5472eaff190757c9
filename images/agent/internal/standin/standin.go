// Package standin says what this is: not Datadog's agent, and what of the agent it does not do.
package standin

// Release is the agent release whose payloads and behaviour are followed.
const Release = "7.84.1"

// Version is what this calls itself wherever a version is told.
const Version = Release + "-standin"

// UserAgent is the User-Agent of every request.
const UserAgent = "datadog-agent/" + Version

// NotDone names what the real agent does and this does not, and why. Suites read it as "not proven", with the reason.
var NotDone = map[string]string{
	"npm":                  "network performance monitoring reads connections through eBPF programs that only Datadog's system-probe carries",
	"usm":                  "universal service monitoring reads traffic through eBPF programs that only Datadog's system-probe carries",
	"system_probe":         "the container stays up and answers its probes, but loads no eBPF program and collects nothing",
	"service_discovery":    "it needs system-probe",
	"security_agent":       "runtime security and compliance checks need system-probe and Datadog's rules",
	"remote_configuration": "its content is signed by Datadog's backend",
	"dogstatsd":            "no StatsD listener: nothing in this bed sends to it",
	"integrations":         "no Python checks: only the checks that are compiled in run",
	"jmx":                  "no Java checks",
	"admission_controller": "no tracer and no configuration is put into pods",
	"cluster_checks":       "no checks of services or endpoints, nor of the cluster's state (kubernetes_state): the runner only sends the objects of the orchestrator explorer",
	"external_metrics":     "the autoscaler gets no metrics from Datadog",
	"evp_proxy":            "the trace-agent's proxies to hosts that are always Datadog's own are off",
	"manifests":            "objects are sent with their state, without their YAML",
	"sbom":                 "container images are not scanned",
	"kube_service_tags":    "which Services a pod belongs to is told by Datadog's cluster agent",
	"auto_multi_line":      "lines are joined only where a multi_line rule says so",
	"logs_tcp":             "logs go over HTTP only",
	"cel_workload_exclude": "DD_CEL_WORKLOAD_EXCLUDE is refused at the start: CEL rules are not evaluated here",
	"docker":               "only containers of a Kubernetes node, in the CRI log format, are read",
}
