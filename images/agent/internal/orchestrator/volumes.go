package orchestrator

import (
	"github.com/DataDog/agent-payload/v5/process"
	corev1 "k8s.io/api/core/v1"
)

func volume(of *corev1.PersistentVolume, tags []string) *process.PersistentVolume {
	made := &process.PersistentVolume{
		Metadata: metadata(&of.ObjectMeta), Tags: tags,
		Spec: &process.PersistentVolumeSpec{
			Capacity: amounts(of.Spec.Capacity), AccessModes: modes(of.Spec.AccessModes), PersistentVolumeType: volumeType(of.Spec.PersistentVolumeSource),
			PersistentVolumeReclaimPolicy: string(of.Spec.PersistentVolumeReclaimPolicy), StorageClassName: of.Spec.StorageClassName, MountOptions: of.Spec.MountOptions,
		},
		Status: &process.PersistentVolumeStatus{Phase: string(of.Status.Phase), Message: of.Status.Message, Reason: of.Status.Reason},
	}
	if of.Spec.VolumeMode != nil {
		made.Spec.VolumeMode = string(*of.Spec.VolumeMode)
	}
	if claim := of.Spec.ClaimRef; claim != nil {
		made.Spec.ClaimRef = &process.ObjectReference{Kind: claim.Kind, Namespace: claim.Namespace, Name: claim.Name, Uid: string(claim.UID)}
	}
	return made
}

func volumeType(source corev1.PersistentVolumeSource) string {
	switch {
	case source.HostPath != nil:
		return "HostPath"
	case source.Local != nil:
		return "LocalVolume"
	case source.CSI != nil:
		return "CSI"
	case source.NFS != nil:
		return "NFS"
	}
	return "<unknown>" // the agent's own word
}

func claim(of *corev1.PersistentVolumeClaim, tags []string) *process.PersistentVolumeClaim {
	made := &process.PersistentVolumeClaim{
		Metadata: metadata(&of.ObjectMeta), Tags: tags,
		Spec: &process.PersistentVolumeClaimSpec{
			AccessModes: modes(of.Spec.AccessModes), VolumeName: of.Spec.VolumeName, Selector: selectors(of.Spec.Selector),
			Resources: &process.ResourceRequirements{Requests: amounts(of.Spec.Resources.Requests), Limits: amounts(of.Spec.Resources.Limits)},
		},
		Status: &process.PersistentVolumeClaimStatus{Phase: string(of.Status.Phase), AccessModes: modes(of.Status.AccessModes), Capacity: amounts(of.Status.Capacity)},
	}
	if of.Spec.StorageClassName != nil {
		made.Spec.StorageClassName = *of.Spec.StorageClassName
	}
	if of.Spec.VolumeMode != nil {
		made.Spec.VolumeMode = string(*of.Spec.VolumeMode)
	}
	return made
}
