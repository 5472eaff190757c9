package processes

import (
	"context"
	"time"

	"github.com/DataDog/agent-payload/v5/process"
	corev1 "k8s.io/api/core/v1"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"agentstandin/internal/filter"
	"agentstandin/internal/kubelet"
	"agentstandin/internal/running"
	"agentstandin/internal/settings"
)

// containers are those that run and that the filter of metrics leaves in.
func containers(ctx context.Context, pods *kubelet.Client, picked filter.Filter, s settings.Settings, at time.Time) ([]*process.Container, error) {
	all, err := pods.Pods(ctx)
	if err != nil {
		return nil, err
	}
	summary, err := pods.Summary(ctx)
	if err != nil {
		return nil, err
	}
	measured := map[string]*stats.ContainerStats{}
	for i := range summary.Pods {
		for j := range summary.Pods[i].Containers {
			of := &summary.Pods[i].Containers[j]
			measured[summary.Pods[i].PodRef.Namespace+"/"+summary.Pods[i].PodRef.Name+"/"+of.Name] = of
		}
	}
	var made []*process.Container
	for _, one := range running.Of(all) {
		if one.Runs() && picked.Decide(one.Filtered(at), filter.SharedMetrics).Included {
			made = append(made, container(one, measured[one.Pod.Namespace+"/"+one.Pod.Name+"/"+one.Spec.Name], append(one.Tags(s.PodLabelsAsTags), s.GlobalTags()...)))
		}
	}
	return made, nil
}

func container(of running.Container, measured *stats.ContainerStats, tags []string) *process.Container {
	started := of.Status.State.Running.StartedAt.Unix()
	made := &process.Container{
		Type: of.Runtime(), Id: of.ID(), Name: of.Spec.Name, Image: of.Spec.Image, RepoDigest: of.Status.ImageID, State: process.ContainerState_running,
		Health: process.ContainerHealth_unknownHealth, Created: started, Started: started, Tags: tags,
		CpuLimit: float32(of.Spec.Resources.Limits.Cpu().AsApproximateFloat64() * 100), CpuRequest: float32(of.Spec.Resources.Requests.Cpu().AsApproximateFloat64() * 100),
		MemoryLimit: whole(of.Spec.Resources.Limits), MemoryRequest: whole(of.Spec.Resources.Requests),
	}
	if of.Status.Ready && of.Spec.ReadinessProbe != nil {
		made.Health = process.ContainerHealth_healthy
	}
	if measured == nil {
		return made
	}
	if cpu := measured.CPU; cpu != nil && cpu.UsageNanoCores != nil {
		made.CpuUsageNs = float32(*cpu.UsageNanoCores)
		made.TotalPct = float32(*cpu.UsageNanoCores) / 1e7 // percent of one processor
	}
	if memory := measured.Memory; memory != nil {
		made.MemRss, made.MemUsage = given(memory.RSSBytes), given(memory.UsageBytes)
	}
	return made
}

func whole(list corev1.ResourceList) uint64 {
	if bytes := list.Memory().Value(); bytes > 0 {
		return uint64(bytes)
	}
	return 0
}

func given(figure *uint64) uint64 {
	if figure == nil {
		return 0
	}
	return *figure
}
