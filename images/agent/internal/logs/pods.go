package logs

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"agentstandin/internal/kubelet"
)

// podList is the kubelet's pod list of a moment, by pod UID.
type podList struct {
	pods map[string]*corev1.Pod
	when time.Time
}

// podFollower keeps asking the kubelet, so that a slow answer never holds up the log files.
type podFollower struct {
	kubelet *kubelet.Client
	log     *slog.Logger
	current atomic.Pointer[podList]
	haste   chan struct{}

	lock    sync.Mutex
	problem string
}

func newPodFollower(client *kubelet.Client, log *slog.Logger) *podFollower {
	f := &podFollower{kubelet: client, log: log, haste: make(chan struct{}, 1)}
	f.current.Store(&podList{})
	return f
}

func (f *podFollower) run(ctx context.Context, pace pace) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			f.ask(ctx, pace.haste/2)
			next = time.Now().Add(pace.pods)
		case <-f.haste:
			if soon := time.Now().Add(pace.haste); soon.Before(next) {
				next = soon
			}
		}
		timer.Reset(max(0, time.Until(next)))
	}
}

// hurry asks for a new list soon.
func (f *podFollower) hurry() {
	select {
	case f.haste <- struct{}{}:
	default:
	}
}

func (f *podFollower) ask(ctx context.Context, age time.Duration) {
	asked := time.Now()
	pods, err := f.kubelet.PodsWithin(ctx, age)
	if err != nil {
		if ctx.Err() == nil {
			f.tell(err.Error())
		}
		return
	}
	f.tell("")
	list := &podList{pods: make(map[string]*corev1.Pod, len(pods)), when: asked}
	for i := range pods {
		list.pods[string(pods[i].UID)] = &pods[i]
	}
	f.current.Store(list)
}

func (f *podFollower) tell(problem string) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if problem != f.problem && problem != "" {
		f.log.Warn("the kubelet does not tell its pods", "error", problem)
	}
	f.problem = problem
}

// failing is why the kubelet's last answer was none, empty when it was one.
func (f *podFollower) failing() string {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.problem
}

// member is one container of a pod, as its spec and its status tell.
type member struct {
	pod    *corev1.Pod
	spec   corev1.Container
	status *corev1.ContainerStatus // nil when there is none yet
}

func findMember(pod *corev1.Pod, name string) (member, bool) {
	found := member{pod: pod}
	for _, specs := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range specs {
			if specs[i].Name == name {
				found.spec = specs[i]
			}
		}
	}
	for i := range pod.Spec.EphemeralContainers {
		if pod.Spec.EphemeralContainers[i].Name == name {
			found.spec = corev1.Container(pod.Spec.EphemeralContainers[i].EphemeralContainerCommon)
		}
	}
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses} {
		for i := range statuses {
			if statuses[i].Name == name {
				found.status = &statuses[i]
			}
		}
	}
	return found, found.spec.Name != ""
}

// ids are the container ids by run, without runtime prefix: the kubelet tells the last one and the one before.
func (m member) ids() map[int]string {
	ids := map[int]string{}
	if m.status == nil {
		return ids
	}
	last := int(m.status.RestartCount)
	if id := bareID(m.status.ContainerID); id != "" {
		ids[last] = id
	}
	if ended := m.status.LastTerminationState.Terminated; ended != nil && last > 0 {
		if id := bareID(ended.ContainerID); id != "" {
			ids[last-1] = id
		}
	}
	return ids
}

// stopped says whether the container has ended for good or for now, and how long ago.
func (m member) stopped(now time.Time) (bool, time.Duration) {
	if m.status == nil || m.status.State.Terminated == nil {
		return false, 0
	}
	ended := m.status.State.Terminated.FinishedAt.Time
	if ended.IsZero() {
		return true, 0
	}
	return true, now.Sub(ended)
}

func bareID(id string) string {
	_, bare, ok := strings.Cut(id, "://")
	if !ok {
		return id
	}
	return bare
}
