package metrics

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"agentstandin/internal/running"
	"agentstandin/internal/tags"
	"agentstandin/internal/wire"
)

const forgetAfter = 10 * time.Minute

// usagePoints are what the kubelet measured of pods, containers, volumes and the node's disk.
func (n *node) usagePoints(pods []corev1.Pod, summary *stats.Summary, at time.Time) []wire.Point {
	points := nodePoints(&summary.Node)
	containers := map[string]running.Container{}
	for _, c := range running.Of(pods) {
		containers[c.Pod.Namespace+"/"+c.Pod.Name+"/"+c.Spec.Name] = c
	}
	// By name: the kubelet's statistics carry another uid for its static pods.
	named := map[string]*corev1.Pod{}
	for i := range pods {
		named[pods[i].Namespace+"/"+pods[i].Name] = &pods[i]
	}
	for i := range summary.Pods {
		measured := &summary.Pods[i]
		name := measured.PodRef.Namespace + "/" + measured.PodRef.Name
		pod, known := named[name]
		if !known {
			continue // it ended between the two questions
		}
		points = append(points, n.podUsage(measured, name, tags.OfPod(pod, n.settings.PodLabelsAsTags), at)...)
		for j := range measured.Containers {
			c, known := containers[name+"/"+measured.Containers[j].Name]
			if known && n.collects(c, at) {
				points = append(points, containerUsage(c, c.Tags(n.settings.PodLabelsAsTags), &measured.Containers[j], at)...)
			}
		}
	}
	n.counters.forget(at.Add(-forgetAfter))
	return points
}

func (n *node) podUsage(pod *stats.PodStats, name string, own []string, at time.Time) []wire.Point {
	var points []wire.Point
	if network := pod.Network; network != nil {
		tagged := with(own, "interface:"+network.Name)
		for metric, counter := range map[string]*uint64{
			"kubernetes.network.rx_bytes": network.RxBytes, "kubernetes.network.tx_bytes": network.TxBytes,
			"kubernetes.network.rx_errors": network.RxErrors, "kubernetes.network.tx_errors": network.TxErrors,
		} {
			if counter == nil {
				continue
			}
			if rate, ok := n.counters.rate(name+" "+metric, *counter, network.Time.Time); ok {
				points = append(points, gauge(metric, rate, "", tagged))
			}
		}
	}
	if disk := pod.EphemeralStorage; disk != nil && disk.UsedBytes != nil {
		points = append(points, gauge("kubernetes.ephemeral_storage.usage", float64(*disk.UsedBytes), "byte", own))
	}
	for _, volume := range pod.VolumeStats {
		if volume.PVCRef == nil {
			continue
		}
		tagged := with(lowTags(own), "persistentvolumeclaim:"+volume.PVCRef.Name, "volume_name:"+volume.Name)
		points = append(points, whole("kubernetes.kubelet.volume.stats.", "byte", tagged, map[string]*uint64{
			"used_bytes": volume.UsedBytes, "capacity_bytes": volume.CapacityBytes, "available_bytes": volume.AvailableBytes,
		})...)
	}
	return points
}

func containerUsage(c running.Container, own []string, measured *stats.ContainerStats, at time.Time) []wire.Point {
	plain := with(own, "runtime:"+c.Runtime())
	points := []wire.Point{gauge("container.uptime", at.Sub(c.Status.State.Running.StartedAt.Time).Seconds(), "second", plain)}
	if cpu := measured.CPU; cpu != nil {
		points = append(points, whole("", "nanocore", own, map[string]*uint64{"kubernetes.cpu.usage.total": cpu.UsageNanoCores})...)
		points = append(points, whole("", "nanocore", plain, map[string]*uint64{"container.cpu.usage": cpu.UsageNanoCores})...)
	}
	if memory := measured.Memory; memory != nil {
		figures := map[string]*uint64{"usage": memory.UsageBytes, "working_set": memory.WorkingSetBytes, "rss": memory.RSSBytes}
		points = append(points, whole("kubernetes.memory.", "byte", own, figures)...)
		points = append(points, whole("container.memory.", "byte", plain, figures)...)
	}
	if disk := measured.Rootfs; disk != nil {
		points = append(points, whole("kubernetes.filesystem.", "byte", own, map[string]*uint64{"usage": disk.UsedBytes})...)
	}
	if limit, ok := c.Spec.Resources.Limits[corev1.ResourceCPU]; ok {
		points = append(points, gauge("container.cpu.limit", limit.AsApproximateFloat64()*1e9, "nanocore", plain))
	}
	if limit, ok := c.Spec.Resources.Limits[corev1.ResourceMemory]; ok {
		points = append(points, gauge("container.memory.limit", limit.AsApproximateFloat64(), "byte", plain))
	}
	return points
}

// nodePoints: the disk is the one that the kubelet watches; the others are not visible from inside the agent's pod.
func nodePoints(node *stats.NodeStats) []wire.Point {
	var points []wire.Point
	for _, system := range node.SystemContainers {
		if system.Name != "kubelet" && system.Name != "runtime" {
			continue
		}
		if system.CPU != nil {
			points = append(points, whole("kubernetes."+system.Name+".cpu.", "nanocore", nil, map[string]*uint64{"usage": system.CPU.UsageNanoCores})...)
		}
		if system.Memory != nil {
			points = append(points, whole("kubernetes."+system.Name+".memory.", "byte", nil, map[string]*uint64{"rss": system.Memory.RSSBytes, "usage": system.Memory.UsageBytes})...)
		}
	}
	disk := node.Fs
	if disk == nil || disk.CapacityBytes == nil || disk.AvailableBytes == nil || *disk.CapacityBytes == 0 {
		return points
	}
	total, free := float64(*disk.CapacityBytes), float64(*disk.AvailableBytes)
	for metric, value := range map[string]float64{
		"system.disk.total": total / 1024, "system.disk.free": free / 1024, "system.disk.used": (total - free) / 1024, "system.disk.in_use": (total - free) / total,
	} {
		point := gauge(metric, value, "", []string{"device_name:nodefs"})
		point.Device = "nodefs"
		points = append(points, point)
	}
	return points
}

func whole(prefix, unit string, tags []string, figures map[string]*uint64) []wire.Point {
	var points []wire.Point
	for name, figure := range figures {
		if figure != nil {
			points = append(points, gauge(prefix+name, float64(*figure), unit, tags))
		}
	}
	return points
}
