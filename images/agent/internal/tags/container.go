package tags

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Of are the tags of one container, sorted, each once: those of its pod, those of its image, those of its own. id is
// the container's without runtime prefix; empty when it is not known yet. labelsAsTags maps a pod label to the tag
// that it becomes.
func Of(pod *corev1.Pod, container corev1.Container, id, imageID string, labelsAsTags map[string]string) []string {
	l := list{}
	l.pod(pod, labelsAsTags)
	image := ParseImage(container.Image)
	l.add("container_name", container.Name)
	l.add("kube_container_name", container.Name)
	l.add("display_container_name", container.Name+"_"+pod.Name)
	l.add("container_id", id)
	l.add("image_name", image.Name)
	l.add("short_image", image.Short)
	l.add("image_tag", image.Tag)
	l.add("image_id", imageID)
	for _, standard := range []string{"env", "service", "version"} {
		l.add(standard, pod.Labels["tags.datadoghq.com/"+container.Name+"."+standard])
	}
	for _, variable := range container.Env {
		switch variable.Name {
		case "DD_ENV", "DD_SERVICE", "DD_VERSION":
			l.add(strings.ToLower(variable.Name[3:]), variable.Value)
		case "OTEL_SERVICE_NAME":
			l.add("service", variable.Value)
		}
	}
	l.annotation(pod.Annotations["ad.datadoghq.com/"+container.Name+".tags"])
	return l.sorted()
}

// OfPod are the tags of a pod, sorted, each once.
func OfPod(pod *corev1.Pod, labelsAsTags map[string]string) []string {
	l := list{}
	l.pod(pod, labelsAsTags)
	return l.sorted()
}

// Service is the value of the first service tag, empty when there is none.
func Service(tags []string) string {
	for _, tag := range tags {
		if value, ok := strings.CutPrefix(tag, "service:"); ok {
			return value
		}
	}
	return ""
}

type list map[string]struct{}

func (l list) add(name, value string) {
	if value != "" {
		l[name+":"+value] = struct{}{}
	}
}

func (l list) sorted() []string {
	all := make([]string, 0, len(l))
	for tag := range l {
		all = append(all, tag)
	}
	sort.Strings(all)
	return all
}

var labelTags = map[string]string{
	"tags.datadoghq.com/env":       "env",
	"tags.datadoghq.com/service":   "service",
	"tags.datadoghq.com/version":   "version",
	"app.kubernetes.io/name":       "kube_app_name",
	"app.kubernetes.io/instance":   "kube_app_instance",
	"app.kubernetes.io/version":    "kube_app_version",
	"app.kubernetes.io/component":  "kube_app_component",
	"app.kubernetes.io/part-of":    "kube_app_part_of",
	"app.kubernetes.io/managed-by": "kube_app_managed_by",
}

func (l list) pod(pod *corev1.Pod, labelsAsTags map[string]string) {
	l.add("pod_name", pod.Name)
	l.add("kube_namespace", pod.Namespace)
	l.add("pod_phase", strings.ToLower(string(pod.Status.Phase)))
	l.add("kube_qos", string(pod.Status.QOSClass))
	l.add("kube_priority_class", pod.Spec.PriorityClassName)
	if pod.Spec.RuntimeClassName != nil {
		l.add("kube_runtime_class", *pod.Spec.RuntimeClassName)
	}
	for label, value := range pod.Labels {
		if tag, ok := labelTags[label]; ok {
			l.add(tag, value)
		}
		if tag, ok := labelsAsTags[label]; ok {
			l.add(strings.ReplaceAll(tag, "%%label%%", label), value)
		}
	}
	for _, owner := range pod.OwnerReferences {
		l.add("kube_ownerref_kind", strings.ToLower(owner.Kind))
		l.add("kube_ownerref_name", owner.Name)
		l.owner(owner.Kind, owner.Name)
	}
	l.annotation(pod.Annotations["ad.datadoghq.com/tags"])
}

func (l list) owner(kind, name string) {
	switch kind {
	case "Deployment":
		l.add("kube_deployment", name)
	case "ReplicaSet":
		l.add("kube_replica_set", name)
		l.add("kube_deployment", deploymentOf(name))
	case "DaemonSet":
		l.add("kube_daemon_set", name)
	case "StatefulSet":
		l.add("kube_stateful_set", name)
	case "ReplicationController":
		l.add("kube_replication_controller", name)
	case "Job":
		l.add("kube_job", name)
		l.add("kube_cronjob", cronJobOf(name))
	}
}

// annotation takes {"tag": "value", "tag": ["value", ...]}; what is no such JSON adds nothing.
func (l list) annotation(text string) {
	var given map[string]any
	if text == "" || json.Unmarshal([]byte(text), &given) != nil {
		return
	}
	for name, value := range given {
		switch value := value.(type) {
		case []any:
			for _, one := range value {
				l.add(name, fmt.Sprint(one))
			}
		case nil:
		default:
			l.add(name, fmt.Sprint(value))
		}
	}
}
