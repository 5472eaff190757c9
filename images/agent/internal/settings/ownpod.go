package settings

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ReleaseOf is the release that an agent's own pod tells by its image's tag. name is the pod's; where no pod has it, any
// pod counts that the operator labelled as a node agent. The second value is false when no tag looks like a release.
func ReleaseOf(pods []corev1.Pod, name string) (Version, bool) {
	var own *corev1.Pod
	for i := range pods {
		if pods[i].Name == name || own == nil && pods[i].Labels["agent.datadoghq.com/component"] == "agent" {
			own = &pods[i]
		}
	}
	if own == nil {
		return Version{}, false
	}
	for _, container := range own.Spec.Containers {
		if container.Name != "agent" {
			continue
		}
		image, _, _ := strings.Cut(container.Image, "@")
		if version, err := ParseVersion(image[strings.LastIndexByte(image, ':')+1:]); err == nil {
			return version, true
		}
	}
	return Version{}, false
}
