// Package inventory tells the intake what this host is: name, machine, agent, tags.
package inventory

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"

	"agentstandin/internal/settings"
)

// PodSource gives the node's pods; kubelet.Client does.
type PodSource interface {
	Pods(ctx context.Context) ([]corev1.Pod, error)
}

const (
	nameTries = 5
	namePause = time.Second
)

// Named returns s with the host's name. The operator does not pass the node's name to the node agent: unless DD_HOSTNAME
// or the node's name is set, it is what the kubelet's pods say. The error tells why the kubelet did not; then the name
// stays what it was.
func Named(ctx context.Context, s settings.Settings, pods PodSource) (settings.Settings, error) {
	if s.NodeName != "" || os.Getenv("DD_HOSTNAME") != "" || pods == nil {
		return s, nil
	}
	var problem error
	for try := range nameTries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return s, ctx.Err()
			case <-time.After(namePause):
			}
		}
		found, err := pods.Pods(ctx)
		if err != nil {
			problem = err
			continue
		}
		for _, pod := range found {
			if pod.Spec.NodeName != "" {
				s.NodeName, s.Hostname = pod.Spec.NodeName, pod.Spec.NodeName
				if s.ClusterName != "" {
					s.Hostname += "-" + s.ClusterName
				}
				return s, nil
			}
		}
		problem = fmt.Errorf("none of the kubelet's %d pods names its node", len(found))
	}
	return s, problem
}
