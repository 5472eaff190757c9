package inventory

import (
	"encoding/json"
	"runtime"
	"strconv"
	"time"

	"agentstandin/internal/settings"
	"agentstandin/internal/standin"
)

// hostMetadata is the body of /intake/ (comp/metadata/host of DataDog/datadog-agent).
func hostMetadata(s settings.Settings, seen machine) map[string]any {
	tags := s.GlobalTags()
	if s.NodeName != "" {
		tags = append(tags, "kube_node:"+s.NodeName)
	}
	return map[string]any{
		"apiKey": s.APIKey.Reveal(), "agentVersion": standin.Version, "uuid": seen.uuid, "internalHostname": s.Hostname, "os": runtime.GOOS, "agent-flavor": "agent",
		"systemStats": map[string]any{
			"cpuCores": seen.cores, "machine": runtime.GOARCH, "platform": runtime.GOOS, "processor": seen.processor, "nixV": []string{seen.system, "", ""},
		},
		"meta":           map[string]any{"socket-hostname": s.NodeName, "hostname": s.Hostname, "host_aliases": aliases(s), "agent-hostname": s.Hostname},
		"host-tags":      map[string]any{"system": tags},
		"logs":           map[string]any{"transport": "HTTP", "auto_multi_line_detection_enabled": false},
		"install-method": map[string]any{"tool": "datadog-operator", "tool_version": "unknown", "installer_version": "meshproof stand-in"},
		"gohai":          gohai(s, seen),
	}
}

func aliases(s settings.Settings) []string {
	if s.NodeName == "" || s.ClusterName == "" {
		return []string{}
	}
	return []string{s.NodeName + "-" + s.ClusterName}
}

// gohai is JSON within JSON: that is its form.
func gohai(s settings.Settings, seen machine) string {
	text, _ := json.Marshal(map[string]any{ // texts only: nothing that JSON cannot write
		"cpu":      map[string]string{"cpu_logical_processors": strconv.Itoa(seen.cores), "model_name": seen.processor},
		"memory":   map[string]string{"total": strconv.FormatInt(seen.memoryKB, 10) + "kB", "swap_total": strconv.FormatInt(seen.swapKB, 10) + "kB"},
		"platform": map[string]string{"hostname": s.NodeName, "kernel_name": "Linux", "kernel_release": seen.release, "machine": runtime.GOARCH, "os": seen.system},
	})
	return string(text)
}

// agentMetadata is the agent's inventory, with what this stand-in leaves out.
func agentMetadata(s settings.Settings, began, at time.Time) map[string]any {
	return map[string]any{
		"hostname": s.Hostname, "timestamp": at.UnixNano(),
		"agent_metadata": map[string]any{
			"agent_version": standin.Version, "flavor": "agent", "stand_in": true, "models": s.Modelled.String(), "not_done": standin.NotDone,
			"agent_startup_time_ms": began.UnixMilli(), "hostname_source": "kubernetes", "install_method_tool": "datadog-operator",
			"feature_logs_enabled": s.Logs.Enabled, "feature_apm_enabled": s.APM.Enabled, "feature_networks_enabled": false,
			"config_dd_url": settings.Without(s.DDURL), "config_apm_dd_url": settings.Without(s.APMURL), "config_logs_dd_url": settings.Without(s.LogsURL),
		},
	}
}

// hostInventory is the machine's.
func hostInventory(s settings.Settings, seen machine, at time.Time) map[string]any {
	return map[string]any{
		"hostname": s.Hostname, "timestamp": at.UnixNano(),
		"host_metadata": map[string]any{
			"agent_version": standin.Version, "cpu_logical_processors": seen.cores, "cpu_model": seen.processor, "cpu_architecture": runtime.GOARCH,
			"kernel_name": "Linux", "kernel_release": seen.release, "os": seen.system, "memory_total_kb": seen.memoryKB, "memory_swap_total_kb": seen.swapKB, "hypervisor_guest_uuid": "",
		},
	}
}
