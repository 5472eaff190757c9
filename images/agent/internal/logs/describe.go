package logs

import (
	"fmt"
	"path/filepath"
	"slices"
	"sort"

	corev1 "k8s.io/api/core/v1"

	"agentstandin/internal/filter"
	"agentstandin/internal/tags"
)

// abouts is what the lines of each run carry, what those of an unknown run carry, and the highest run that is known.
func (c *Collector) abouts(each *container, m member) (byRun map[int]*about, last *about, highest int) {
	byRun, highest = map[int]*about{}, -1
	for run, id := range m.ids() {
		byRun[run] = c.about(each, m, run, id)
		highest = max(highest, run)
	}
	return byRun, c.about(each, m, highest, ""), highest
}

func (c *Collector) about(each *container, m member, run int, id string) *about {
	imageID := ""
	if m.status != nil {
		imageID = m.status.ImageID
	}
	own := tags.Of(m.pod, m.spec, id, imageID, c.settings.PodLabelsAsTags)
	service, source := tags.Service(own), tags.ParseImage(m.spec.Image).Short
	if source == "" {
		source = "kubernetes"
	}
	rules := c.rules
	folder := filepath.Join(c.settings.Logs.PodsPath, each.namespace+"_"+each.pod+"_"+each.uid, each.name)
	all := append([]string{fmt.Sprintf("filename:%d.log", run), "dirname:" + folder}, own...)
	if each.config != nil {
		if each.config.Service != "" {
			service = each.config.Service
		}
		if each.config.Source != "" {
			source = each.config.Source
		}
		all = append(all, each.config.Tags...)
		rules = append(slices.Clone(rules), each.config.Rules...)
	}
	if service == "" {
		service = tags.ParseImage(m.spec.Image).Short
	}
	// Datadog's backend adds the host's tags; here they go with each line.
	for _, tag := range c.settings.GlobalTags() {
		if !slices.Contains(all, tag) {
			all = append(all, tag)
		}
	}
	return newAbout(c.settings.Hostname, service, source, all, rules)
}

// Status is the log collection for `agent status`.
type Status struct {
	LinesSent     int64             `json:"lines_sent"`
	LinesDropped  int64             `json:"lines_dropped"`
	Payloads      int64             `json:"payloads"`
	FailedTries   int64             `json:"failed_tries"`
	WaitingFor    string            `json:"waiting_for,omitempty"`
	KubeletFails  string            `json:"kubelet_fails,omitempty"`
	Containers    []ContainerStatus `json:"containers"`
	RegistryFile  string            `json:"registry_file"`
	ModelledAgent string            `json:"modelled_agent"`
}

// ContainerStatus is what was decided about one container, and how far it was read.
type ContainerStatus struct {
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Container string `json:"container"`
	Included  bool   `json:"included"`
	Because   string `json:"because"`
	Decided   bool   `json:"decided"`
	File      string `json:"file,omitempty"`
	LinesRead int64  `json:"lines_read"`
	LinesSent int64  `json:"lines_sent"`
	LinesLost int64  `json:"lines_dropped"`
	ByRule    int64  `json:"lines_dropped_by_rule"`
	NotCRI    int64  `json:"lines_not_in_cri_format"`
}

// Status is the state of this moment.
func (c *Collector) Status() Status {
	totals := &c.pipeline.totals
	status := Status{
		LinesSent: totals.sent.Load(), LinesDropped: totals.dropped.Load(), Payloads: totals.payloads.Load(), FailedTries: totals.failures.Load(),
		KubeletFails: c.pods.failing(), RegistryFile: c.registry.path, ModelledAgent: c.settings.Modelled.String(), Containers: []ContainerStatus{},
	}
	if why := totals.waiting.Load(); why != nil {
		status.WaitingFor = *why
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, each := range c.known {
		one := ContainerStatus{
			Namespace: each.namespace, Pod: each.pod, Container: each.name, Decided: each.decided,
			Included: each.decision.Included, Because: each.decision.Because,
		}
		if s := each.source; s != nil {
			one.File = s.position()
			one.LinesRead, one.LinesSent, one.LinesLost = s.counts.read.Load(), s.counts.sent.Load(), s.counts.dropped.Load()
			one.ByRule, one.NotCRI = s.counts.byRule.Load(), s.counts.malformed.Load()
		}
		status.Containers = append(status.Containers, one)
	}
	sort.Slice(status.Containers, func(i, j int) bool {
		a, b := status.Containers[i], status.Containers[j]
		return a.Namespace+"/"+a.Pod+"/"+a.Container < b.Namespace+"/"+b.Pod+"/"+b.Container
	})
	return status
}

func names(containers []corev1.Container) []string {
	var all []string
	for _, each := range containers {
		all = append(all, each.Name)
	}
	return all
}

// FilterOf is the decision about every container of the kubelet's list, for each product.
func (c *Collector) FilterOf(product filter.Product) map[string]filter.Decision {
	decisions := map[string]filter.Decision{}
	for _, pod := range c.pods.current.Load().pods {
		for _, specs := range [][]string{names(pod.Spec.InitContainers), names(pod.Spec.Containers)} {
			for _, name := range specs {
				m, _ := findMember(pod, name)
				decisions[pod.Namespace+"/"+pod.Name+"/"+name] = c.filter.Decide(filter.Container{
					Name: name, Image: m.spec.Image, Namespace: pod.Namespace, Annotations: pod.Annotations,
					Stopped: m.status != nil && m.status.State.Terminated != nil,
				}, product)
			}
		}
	}
	return decisions
}
