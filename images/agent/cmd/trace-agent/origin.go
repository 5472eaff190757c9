package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/DataDog/datadog-agent/comp/core/tagger/origindetection"
	"github.com/DataDog/datadog-agent/pkg/util/cgroups"
	corev1 "k8s.io/api/core/v1"

	"agentstandin/internal/running"
)

const (
	askLimit   = 2 * time.Second
	askPause   = time.Second // a container that nobody knows must not make every payload ask the kubelet
	keptAfter  = 10 * time.Minute
	cgroupsAge = time.Second
)

var errUnknownContainer = errors.New("no pod of this node has that container")

// podSource is what origins asks of the kubelet.
type podSource interface {
	PodsWithin(ctx context.Context, age time.Duration) ([]corev1.Pod, error)
}

// known is one container and when the kubelet last named it.
type known struct {
	tags []string
	seen time.Time
}

// origins tells the tags of a container by its id, and the id by what a tracer says of itself.
type origins struct {
	pods         podSource
	labelsAsTags map[string]string
	cgroups      *cgroups.Reader // nil where cgroups cannot be read
	log          *slog.Logger

	lock     sync.Mutex
	asked    time.Time
	byID     map[string]known
	byOrigin map[string]string // pod uid, init or not, container's name -> id
}

func newOrigins(pods podSource, labelsAsTags map[string]string, procRoot string, log *slog.Logger) *origins {
	o := &origins{pods: pods, labelsAsTags: labelsAsTags, log: log, byID: map[string]known{}, byOrigin: map[string]string{}}
	options := []cgroups.ReaderOption{cgroups.WithProcPath(procRoot), cgroups.WithReaderFilter(cgroups.ContainerFilter), cgroups.WithCgroupV1BaseController("memory")}
	if strings.HasPrefix(procRoot, "/host") {
		options = append(options, cgroups.WithHostPrefix("/host"))
	}
	reader, err := cgroups.NewReader(options...)
	if err != nil {
		log.Warn("cgroups cannot be read: a tracer that knows only its cgroup gets no container tags", "error", err.Error())
		return o
	}
	o.cgroups = reader
	return o
}

// tags is the trace-agent's ContainerTags: the tags of a container of this node.
func (o *origins) tags(id string) ([]string, error) {
	if id == "" {
		return nil, nil
	}
	o.lock.Lock()
	defer o.lock.Unlock()
	found, ok := o.byID[id]
	if !ok {
		o.ask()
		found, ok = o.byID[id]
	}
	if !ok {
		return nil, errUnknownContainer
	}
	return found.tags, nil
}

// identify is the trace-agent's ContainerIDFromOriginInfo: for a tracer that sent no container id.
func (o *origins) identify(origin origindetection.OriginInfo) (string, error) {
	if origin.LocalData.ContainerID != "" {
		return origin.LocalData.ContainerID, nil
	}
	if id := o.ofCgroup(origin.LocalData); id != "" {
		return id, nil
	}
	external := origin.ExternalData
	if external.PodUID == "" || external.ContainerName == "" {
		return "", errUnknownContainer
	}
	o.lock.Lock()
	defer o.lock.Unlock()
	key := originKey(external.PodUID, external.Init, external.ContainerName)
	id, ok := o.byOrigin[key]
	if !ok {
		o.ask()
		if id, ok = o.byOrigin[key]; !ok {
			return "", errUnknownContainer
		}
	}
	return id, nil
}

func (o *origins) ofCgroup(local origindetection.LocalData) string {
	if o.cgroups == nil {
		return ""
	}
	if local.ProcessID != 0 {
		controller := ""
		if o.cgroups.CgroupVersion() == 1 {
			controller = "memory"
		}
		if id, err := cgroups.IdentiferFromCgroupReferences("/proc", fmt.Sprint(local.ProcessID), controller, cgroups.ContainerFilter); err == nil && id != "" {
			return id
		}
	}
	if local.Inode != 0 && o.cgroups.RefreshCgroups(cgroupsAge) == nil {
		if group := o.cgroups.GetCgroupByInode(local.Inode); group != nil {
			return group.Identifier()
		}
	}
	return ""
}

// ask reads the pods again, unless that was done a moment ago. The lock is held.
func (o *origins) ask() {
	now := time.Now()
	if now.Sub(o.asked) < askPause {
		return
	}
	defer func() { o.asked = time.Now() }() // a kubelet that hangs must not hold up one payload after the other
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	pods, err := o.pods.PodsWithin(ctx, 0)
	if err != nil {
		o.log.Warn("spans go without container tags: the kubelet did not say its pods", "error", err.Error())
		return
	}
	clear(o.byOrigin)
	for _, container := range running.Of(pods) {
		o.keep(container, now)
	}
	for id, container := range o.byID {
		if now.Sub(container.seen) > keptAfter { // spans of a container that ended come a little later
			delete(o.byID, id)
		}
	}
}

func (o *origins) keep(container running.Container, now time.Time) {
	id := container.ID()
	if id == "" {
		return
	}
	o.byID[id] = known{tags: container.Tags(o.labelsAsTags), seen: now}
	o.byOrigin[originKey(string(container.Pod.UID), container.Init, container.Spec.Name)] = id
}

func originKey(uid string, init bool, container string) string {
	return fmt.Sprintf("%s/%t/%s", uid, init, container)
}
