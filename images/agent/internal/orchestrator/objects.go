package orchestrator

import (
	"slices"
	"strings"

	"github.com/DataDog/agent-payload/v5/process"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration" // the whole manifest again, secrets included

func metadata(object *metav1.ObjectMeta) *process.Metadata {
	made := &process.Metadata{
		Name: object.Name, Namespace: object.Namespace, Uid: string(object.UID), ResourceVersion: object.ResourceVersion,
		CreationTimestamp: seconds(object.CreationTimestamp), Labels: pairs(object.Labels), Annotations: pairs(object.Annotations),
		Finalizers: object.Finalizers,
	}
	if object.DeletionTimestamp != nil {
		made.DeletionTimestamp = seconds(*object.DeletionTimestamp)
	}
	for _, owner := range object.OwnerReferences {
		made.OwnerReferences = append(made.OwnerReferences, &process.OwnerReference{Name: owner.Name, Uid: string(owner.UID), Kind: owner.Kind})
	}
	return made
}

func seconds(at metav1.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.Unix()
}

func pairs(texts map[string]string) []string {
	made := make([]string, 0, len(texts))
	for name, text := range texts {
		if name != lastApplied {
			made = append(made, name+":"+text)
		}
	}
	slices.Sort(made)
	return made
}

func selectors(selector *metav1.LabelSelector) []*process.LabelSelectorRequirement {
	if selector == nil {
		return nil
	}
	made := equal(selector.MatchLabels)
	for _, wanted := range selector.MatchExpressions {
		made = append(made, &process.LabelSelectorRequirement{Key: wanted.Key, Operator: string(wanted.Operator), Values: wanted.Values})
	}
	return made
}

func equal(labels map[string]string) []*process.LabelSelectorRequirement {
	var made []*process.LabelSelectorRequirement
	for name, value := range labels {
		made = append(made, &process.LabelSelectorRequirement{Key: name, Operator: "In", Values: []string{value}})
	}
	slices.SortFunc(made, func(a, b *process.LabelSelectorRequirement) int { return strings.Compare(a.Key, b.Key) })
	return made
}

func requirements(spec corev1.PodSpec) []*process.ResourceRequirements {
	var made []*process.ResourceRequirements
	for _, container := range spec.InitContainers {
		made = append(made, resources(container.Resources.Requests, container.Resources.Limits, container.Name, process.ResourceRequirementsType_initContainer))
	}
	for _, container := range spec.Containers {
		made = append(made, resources(container.Resources.Requests, container.Resources.Limits, container.Name, process.ResourceRequirementsType_container))
	}
	return made
}

func resources(requests, limits corev1.ResourceList, name string, kind process.ResourceRequirementsType) *process.ResourceRequirements {
	return &process.ResourceRequirements{Requests: amounts(requests), Limits: amounts(limits), Name: name, Type: kind}
}

// amounts are whole numbers: processors in thousandths, everything else as it is.
func amounts(list corev1.ResourceList) map[string]int64 {
	made := map[string]int64{}
	for name, quantity := range list {
		if name == corev1.ResourceCPU {
			made[string(name)] = quantity.MilliValue()
		} else {
			made[string(name)] = quantity.Value()
		}
	}
	return made
}

func text(value *intstr.IntOrString) string {
	if value == nil {
		return ""
	}
	return value.String()
}

func number(value *int32) int32 {
	if value == nil {
		return 0
	}
	return *value
}

func modes(modes []corev1.PersistentVolumeAccessMode) []string {
	made := []string{}
	for _, mode := range modes {
		made = append(made, string(mode))
	}
	return made
}
