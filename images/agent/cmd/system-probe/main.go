// system-probe is started by the operator for network monitoring and service discovery, which need Datadog's eBPF
// programs. This one says that they are not there and stays up, so that the pod becomes ready: it has no probes.
package main

import (
	"os"

	"agentstandin/internal/idle"
)

func main() {
	features := []string{"system_probe", "npm", "usm", "service_discovery", "security_agent"}
	os.Exit(idle.Main("system-probe", features, os.Args[1:], os.Stdout))
}
