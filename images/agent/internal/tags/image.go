// Package tags makes the tags that Datadog's tagger gives to pods and containers
// (comp/core/tagger/collectors of DataDog/datadog-agent).
package tags

import "strings"

// Image is a container image's name taken apart.
type Image struct {
	Name  string // without tag and digest: docker.io/istio/proxyv2
	Short string // its last part: proxyv2
	Tag   string // empty when there is none
}

// ParseImage takes a reference apart as it stands in a pod's spec. A bare digest has no name.
func ParseImage(reference string) Image {
	if strings.HasPrefix(reference, "sha256:") {
		return Image{}
	}
	name, _, _ := strings.Cut(reference, "@")
	var tag string
	// A colon before the last slash belongs to the registry's port.
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name, tag = name[:colon], name[colon+1:]
	}
	return Image{Name: name, Short: name[strings.LastIndexByte(name, '/')+1:], Tag: tag}
}
