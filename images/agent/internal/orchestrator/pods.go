package orchestrator

import (
	"slices"
	"strings"

	"github.com/DataDog/agent-payload/v5/process"
	corev1 "k8s.io/api/core/v1"

	"agentstandin/internal/tags"
)

func pod(of *corev1.Pod, own []string) *process.Pod {
	own = append(append(own, "pod_status:"+strings.ToLower(podStatus(of))), tags.OfPod(of, nil)...)
	slices.Sort(own)
	made := &process.Pod{
		Metadata: metadata(&of.ObjectMeta), IP: of.Status.PodIP, NominatedNodeName: of.Status.NominatedNodeName, NodeName: of.Spec.NodeName,
		Phase: string(of.Status.Phase), Status: podStatus(of), QOSClass: string(of.Status.QOSClass), PriorityClass: of.Spec.PriorityClassName,
		ResourceRequirements: requirements(of.Spec), ConditionMessage: of.Status.Message,
		Tags: slices.Compact(own),
	}
	if of.Status.StartTime != nil {
		made.StartTime = seconds(*of.Status.StartTime)
	}
	for _, status := range of.Status.ContainerStatuses {
		made.RestartCount += status.RestartCount
		made.ContainerStatuses = append(made.ContainerStatuses, containerStatus(status))
	}
	for _, status := range of.Status.InitContainerStatuses {
		made.InitContainerStatuses = append(made.InitContainerStatuses, containerStatus(status))
	}
	for _, condition := range of.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionTrue {
			made.ScheduledTime = seconds(condition.LastTransitionTime)
		}
		made.Conditions = append(made.Conditions, &process.PodCondition{
			Type: string(condition.Type), Status: string(condition.Status), Reason: condition.Reason, Message: condition.Message,
			LastProbeTime: seconds(condition.LastProbeTime), LastTransitionTime: seconds(condition.LastTransitionTime),
		})
	}
	return made
}

func containerStatus(of corev1.ContainerStatus) *process.ContainerStatus {
	made := &process.ContainerStatus{
		Name: of.Name, ContainerID: of.ContainerID, Ready: of.Ready, RestartCount: of.RestartCount, Image: of.Image, ImageID: of.ImageID,
	}
	switch {
	case of.State.Running != nil:
		made.State = "Running"
	case of.State.Waiting != nil:
		made.State, made.Message = "Waiting", strings.TrimSpace(of.State.Waiting.Reason+" "+of.State.Waiting.Message)
	case of.State.Terminated != nil:
		made.State, made.Message = "Terminated", strings.TrimSpace(of.State.Terminated.Reason+" "+of.State.Terminated.Message)
	}
	return made
}

// podStatus is the word that kubectl shows: the phase, or what holds a container up.
func podStatus(of *corev1.Pod) string {
	if of.DeletionTimestamp != nil {
		return "Terminating"
	}
	if of.Status.Reason != "" {
		return of.Status.Reason
	}
	for _, status := range of.Status.InitContainerStatuses {
		if waiting := status.State.Waiting; waiting != nil && waiting.Reason != "" && waiting.Reason != "PodInitializing" {
			return "Init:" + waiting.Reason
		}
	}
	for _, status := range of.Status.ContainerStatuses {
		if waiting := status.State.Waiting; waiting != nil && waiting.Reason != "" {
			return waiting.Reason
		}
	}
	return string(of.Status.Phase)
}

func node(of *corev1.Node, own []string) *process.Node {
	made := &process.Node{
		Metadata: metadata(&of.ObjectMeta), Tags: own, PodCIDR: of.Spec.PodCIDR, PodCIDRs: of.Spec.PodCIDRs, Unschedulable: of.Spec.Unschedulable, ProviderID: of.Spec.ProviderID,
		Status: &process.NodeStatus{
			Capacity: amounts(of.Status.Capacity), Allocatable: amounts(of.Status.Allocatable), NodeAddresses: map[string]string{}, Status: "Unknown",
			KubeletVersion: of.Status.NodeInfo.KubeletVersion, OperatingSystem: of.Status.NodeInfo.OperatingSystem, Architecture: of.Status.NodeInfo.Architecture,
			KernelVersion: of.Status.NodeInfo.KernelVersion, OsImage: of.Status.NodeInfo.OSImage, ContainerRuntimeVersion: of.Status.NodeInfo.ContainerRuntimeVersion,
		},
	}
	for label := range of.Labels {
		if role, ok := strings.CutPrefix(label, "node-role.kubernetes.io/"); ok && role != "" {
			made.Roles = append(made.Roles, role)
		}
	}
	for _, address := range of.Status.Addresses {
		made.Status.NodeAddresses[string(address.Type)] = address.Address
	}
	for _, taint := range of.Spec.Taints {
		made.Taints = append(made.Taints, &process.Taint{Key: taint.Key, Value: taint.Value, Effect: string(taint.Effect)})
	}
	for _, condition := range of.Status.Conditions {
		made.Status.Conditions = append(made.Status.Conditions, &process.NodeCondition{
			Type: string(condition.Type), Status: string(condition.Status), Reason: condition.Reason, Message: condition.Message, LastTransitionTime: seconds(condition.LastTransitionTime),
		})
		if condition.Type == corev1.NodeReady {
			made.Status.Status = map[corev1.ConditionStatus]string{corev1.ConditionTrue: "Ready", corev1.ConditionFalse: "NotReady"}[condition.Status]
		}
	}
	return made
}
