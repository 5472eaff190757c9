package metrics

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"agentstandin/internal/filter"
	"agentstandin/internal/running"
	"agentstandin/internal/tags"
	"agentstandin/internal/wire"
)

// Tags that tell one pod or container from another: counts of pods go without them (the tagger's low cardinality).
var telling = []string{"pod_name:", "container_id:", "display_container_name:", "kube_ownerref_name:", "kube_job:"}

func lowTags(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(tag string) bool {
		return slices.ContainsFunc(telling, func(prefix string) bool { return strings.HasPrefix(tag, prefix) })
	})
}

// tally counts by tags.
type tally map[string]int

func (t tally) add(tags []string) { t[strings.Join(tags, "\x00")]++ }

func (t tally) points(metric string) []wire.Point {
	var points []wire.Point
	for joined, count := range t {
		points = append(points, gauge(metric, float64(count), "", strings.Split(joined, "\x00")))
	}
	return points
}

func (n *node) collects(c running.Container, at time.Time) bool {
	return n.filter.Decide(c.Filtered(at), filter.SharedMetrics).Included
}

// statePoints are what the pods' own states tell: how many run, restarts, requests and limits.
func (n *node) statePoints(pods []corev1.Pod, at time.Time) []wire.Point {
	var points []wire.Point
	podsRunning, containersRunning := tally{}, tally{}
	for i := range pods {
		if pods[i].Status.Phase == corev1.PodRunning {
			podsRunning.add(lowTags(tags.OfPod(&pods[i], n.settings.PodLabelsAsTags)))
		}
	}
	for _, c := range running.Of(pods) {
		described := c.Filtered(at)
		described.Stopped = false // states of containers that wait or ended count as well
		if !n.filter.Decide(described, filter.SharedMetrics).Included {
			continue
		}
		own := c.Tags(n.settings.PodLabelsAsTags)
		if c.Runs() {
			containersRunning.add(lowTags(own))
			points = append(points, resourcePoints(c, own)...)
		}
		if c.Init {
			continue
		}
		points = append(points, gauge("kubernetes.containers.restarts", float64(c.Status.RestartCount), "", own))
		if waiting := c.Status.State.Waiting; waiting != nil {
			points = append(points, gauge("kubernetes.containers.state.waiting", 1, "", with(own, "reason:"+strings.ToLower(waiting.Reason))))
		}
		if ended := c.Status.State.Terminated; ended != nil {
			points = append(points, gauge("kubernetes.containers.state.terminated", 1, "", with(own, "reason:"+strings.ToLower(ended.Reason))))
		}
		if ended := c.Status.LastTerminationState.Terminated; ended != nil {
			points = append(points, gauge("kubernetes.containers.last_state.terminated", 1, "", with(own, "reason:"+strings.ToLower(ended.Reason))))
		}
	}
	points = append(points, podsRunning.points("kubernetes.pods.running")...)
	return append(points, containersRunning.points("kubernetes.containers.running")...)
}

func resourcePoints(c running.Container, own []string) []wire.Point {
	var points []wire.Point
	for kind, resources := range map[string]corev1.ResourceList{"requests": c.Spec.Resources.Requests, "limits": c.Spec.Resources.Limits} {
		if cpu, ok := resources[corev1.ResourceCPU]; ok {
			points = append(points, gauge("kubernetes.cpu."+kind, cpu.AsApproximateFloat64(), "core", own))
		}
		if memory, ok := resources[corev1.ResourceMemory]; ok {
			points = append(points, gauge("kubernetes.memory."+kind, memory.AsApproximateFloat64(), "byte", own))
		}
	}
	return points
}

func with(tags []string, more ...string) []string { return append(slices.Clone(tags), more...) }
