// Package running walks the containers of a node's pods: what the spec wants beside what the kubelet sees.
package running

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"agentstandin/internal/filter"
	"agentstandin/internal/tags"
)

// Container is one container that the kubelet has a status of.
type Container struct {
	Pod    *corev1.Pod
	Spec   corev1.Container
	Status corev1.ContainerStatus
	Init   bool
}

// Of are the containers of the pods, those of init included.
func Of(pods []corev1.Pod) []Container {
	var all []Container
	for i := range pods {
		pod := &pods[i]
		all = append(all, matched(pod, pod.Spec.Containers, pod.Status.ContainerStatuses, false)...)
		all = append(all, matched(pod, pod.Spec.InitContainers, pod.Status.InitContainerStatuses, true)...)
	}
	return all
}

func matched(pod *corev1.Pod, specs []corev1.Container, statuses []corev1.ContainerStatus, init bool) []Container {
	var all []Container
	for _, status := range statuses {
		for _, spec := range specs {
			if spec.Name == status.Name {
				all = append(all, Container{Pod: pod, Spec: spec, Status: status, Init: init})
			}
		}
	}
	return all
}

// ID is the container's id without the runtime before it; empty before it was created.
func (c Container) ID() string {
	_, id, _ := strings.Cut(c.Status.ContainerID, "://")
	return id
}

// Runtime is the container runtime, such as containerd.
func (c Container) Runtime() string {
	runtime, _, _ := strings.Cut(c.Status.ContainerID, "://")
	return runtime
}

// Tags are the tagger's tags of the container.
func (c Container) Tags(labelsAsTags map[string]string) []string {
	return tags.Of(c.Pod, c.Spec, c.ID(), c.Status.ImageID, labelsAsTags)
}

// Runs says whether it runs at this moment.
func (c Container) Runs() bool { return c.Status.State.Running != nil }

// Filtered is what the container filter looks at.
func (c Container) Filtered(now time.Time) filter.Container {
	filtered := filter.Container{
		Name: c.Spec.Name, Image: c.Spec.Image, Namespace: c.Pod.Namespace, Annotations: c.Pod.Annotations, Stopped: !c.Runs(),
	}
	if ended := c.Status.State.Terminated; ended != nil && !ended.FinishedAt.IsZero() {
		filtered.StoppedFor = now.Sub(ended.FinishedAt.Time)
	}
	return filtered
}
