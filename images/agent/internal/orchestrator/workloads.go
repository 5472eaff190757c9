package orchestrator

import (
	"github.com/DataDog/agent-payload/v5/process"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

func deployment(of *appsv1.Deployment, tags []string) *process.Deployment {
	made := &process.Deployment{
		Metadata: metadata(&of.ObjectMeta), Tags: tags, ReplicasDesired: 1, DeploymentStrategy: string(of.Spec.Strategy.Type), Paused: of.Spec.Paused,
		Selectors: selectors(of.Spec.Selector), Replicas: of.Status.Replicas, UpdatedReplicas: of.Status.UpdatedReplicas,
		ReadyReplicas: of.Status.ReadyReplicas, AvailableReplicas: of.Status.AvailableReplicas, UnavailableReplicas: of.Status.UnavailableReplicas,
		ResourceRequirements: requirements(of.Spec.Template.Spec),
	}
	if of.Spec.Replicas != nil {
		made.ReplicasDesired = *of.Spec.Replicas
	}
	if rolling := of.Spec.Strategy.RollingUpdate; rolling != nil {
		made.MaxUnavailable, made.MaxSurge = text(rolling.MaxUnavailable), text(rolling.MaxSurge)
	}
	for _, condition := range of.Status.Conditions {
		made.Conditions = append(made.Conditions, &process.DeploymentCondition{
			Type: string(condition.Type), Status: string(condition.Status), Reason: condition.Reason, Message: condition.Message,
			LastUpdateTime: seconds(condition.LastUpdateTime), LastTransitionTime: seconds(condition.LastTransitionTime),
		})
	}
	return made
}

func replicaSet(of *appsv1.ReplicaSet, tags []string) *process.ReplicaSet {
	made := &process.ReplicaSet{
		Metadata: metadata(&of.ObjectMeta), Tags: tags, ReplicasDesired: 1, Selectors: selectors(of.Spec.Selector), Replicas: of.Status.Replicas,
		FullyLabeledReplicas: of.Status.FullyLabeledReplicas, ReadyReplicas: of.Status.ReadyReplicas, AvailableReplicas: of.Status.AvailableReplicas,
		ResourceRequirements: requirements(of.Spec.Template.Spec),
	}
	if of.Spec.Replicas != nil {
		made.ReplicasDesired = *of.Spec.Replicas
	}
	return made
}

func daemonSet(of *appsv1.DaemonSet, tags []string) *process.DaemonSet {
	return &process.DaemonSet{
		Metadata: metadata(&of.ObjectMeta), Tags: tags,
		Spec: &process.DaemonSetSpec{
			Selectors: selectors(of.Spec.Selector), DeploymentStrategy: string(of.Spec.UpdateStrategy.Type), MinReadySeconds: of.Spec.MinReadySeconds,
			RevisionHistoryLimit: number(of.Spec.RevisionHistoryLimit), ResourceRequirements: requirements(of.Spec.Template.Spec),
		},
		Status: &process.DaemonSetStatus{
			CurrentNumberScheduled: of.Status.CurrentNumberScheduled, NumberMisscheduled: of.Status.NumberMisscheduled,
			DesiredNumberScheduled: of.Status.DesiredNumberScheduled, NumberReady: of.Status.NumberReady,
			UpdatedNumberScheduled: of.Status.UpdatedNumberScheduled, NumberAvailable: of.Status.NumberAvailable, NumberUnavailable: of.Status.NumberUnavailable,
		},
	}
}

func statefulSet(of *appsv1.StatefulSet, tags []string) *process.StatefulSet {
	return &process.StatefulSet{
		Metadata: metadata(&of.ObjectMeta), Tags: tags,
		Spec: &process.StatefulSetSpec{
			DesiredReplicas: number(of.Spec.Replicas), Selectors: selectors(of.Spec.Selector), ServiceName: of.Spec.ServiceName,
			PodManagementPolicy: string(of.Spec.PodManagementPolicy), UpdateStrategy: string(of.Spec.UpdateStrategy.Type), ResourceRequirements: requirements(of.Spec.Template.Spec),
		},
		Status: &process.StatefulSetStatus{
			Replicas: of.Status.Replicas, ReadyReplicas: of.Status.ReadyReplicas, CurrentReplicas: of.Status.CurrentReplicas, UpdatedReplicas: of.Status.UpdatedReplicas,
		},
	}
}

func service(of *corev1.Service, tags []string) *process.Service {
	made := &process.Service{
		Metadata: metadata(&of.ObjectMeta), Tags: tags,
		Spec: &process.ServiceSpec{
			Selectors: equal(of.Spec.Selector), ClusterIP: of.Spec.ClusterIP, Type: string(of.Spec.Type), ExternalIPs: of.Spec.ExternalIPs,
			SessionAffinity: string(of.Spec.SessionAffinity), LoadBalancerIP: of.Spec.LoadBalancerIP, LoadBalancerSourceRanges: of.Spec.LoadBalancerSourceRanges,
			ExternalName: of.Spec.ExternalName, ExternalTrafficPolicy: string(of.Spec.ExternalTrafficPolicy), HealthCheckNodePort: of.Spec.HealthCheckNodePort,
			PublishNotReadyAddresses: of.Spec.PublishNotReadyAddresses,
		},
		Status: &process.ServiceStatus{},
	}
	for _, port := range of.Spec.Ports {
		made.Spec.Ports = append(made.Spec.Ports, &process.ServicePort{
			Name: port.Name, Protocol: string(port.Protocol), Port: port.Port, TargetPort: port.TargetPort.String(), NodePort: port.NodePort,
		})
	}
	for _, ingress := range of.Status.LoadBalancer.Ingress {
		address := ingress.Hostname
		if address == "" {
			address = ingress.IP
		}
		made.Status.LoadBalancerIngress = append(made.Status.LoadBalancerIngress, address)
	}
	return made
}

func namespace(of *corev1.Namespace, tags []string) *process.Namespace {
	return &process.Namespace{Metadata: metadata(&of.ObjectMeta), Tags: tags, Status: string(of.Status.Phase)}
}
