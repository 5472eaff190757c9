package orchestrator

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/DataDog/agent-payload/v5/process"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"agentstandin/internal/cluster"
	"agentstandin/internal/settings"
	"agentstandin/internal/wire"
)

// objects answers as the API server would; a path that is not there is forbidden.
type objects map[string]any

func (o objects) Get(_ context.Context, path string, into any) error {
	object, ok := o[path]
	if !ok {
		return &cluster.Refused{Path: path, Status: 403, Message: "no"}
	}
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func named(name, version string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: "apps", UID: types.UID("uid-" + name), ResourceVersion: version, Labels: map[string]string{"app": name},
		Annotations: map[string]string{lastApplied: "secret"}}
}

func bound(version string) corev1.PersistentVolumeClaimList {
	return corev1.PersistentVolumeClaimList{Items: []corev1.PersistentVolumeClaim{{
		ObjectMeta: named("text-to-speech", version), Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "pvc-1"},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound, Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}}}
}

func world() objects {
	replicas := int32(2)
	return objects{
		"/api/v1/namespaces/kube-system": corev1.Namespace{ObjectMeta: metav1.ObjectMeta{UID: "cluster-1"}},
		"/api/v1/persistentvolumeclaims": bound("1"),
		"/api/v1/nodes": corev1.NodeList{Items: []corev1.Node{{
			ObjectMeta: metav1.ObjectMeta{Name: "node-1", UID: "uid-node", Labels: map[string]string{"node-role.kubernetes.io/control-plane": ""}},
			Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}}}},
		"/apis/apps/v1/deployments": appsv1.DeploymentList{Items: []appsv1.Deployment{{ObjectMeta: named("goapi", "7"), Spec: appsv1.DeploymentSpec{Replicas: &replicas},
			Status: appsv1.DeploymentStatus{ReadyReplicas: 1}}}},
		"/api/v1/pods": corev1.PodList{Items: []corev1.Pod{{ObjectMeta: named("goapi-1", "9"), Spec: corev1.PodSpec{NodeName: "node-1"},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{
				{Name: "goapi", RestartCount: 3, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}}}}}},
	}
}

func collecting(api api) *collector {
	s := settings.Settings{Hostname: "node-1-meshproof", ClusterName: "meshproof", Modelled: settings.DefaultVersion}
	return &collector{settings: s, api: api, log: slog.New(slog.DiscardHandler), sent: map[string]seen{}, troubles: map[string]string{}}
}

// message finds the one message of type M among the payloads.
func message[M process.MessageBody](t *testing.T, payloads []wire.Payload) M {
	t.Helper()
	for _, payload := range payloads {
		decoded, err := process.DecodeMessage(payload.Body)
		if err != nil {
			t.Fatal(err)
		}
		if body, ok := decoded.Body.(M); ok {
			return body
		}
	}
	t.Fatal("no such message")
	panic("not reached")
}

func TestObjectsAreSentWithTheirState(t *testing.T) {
	payloads := collecting(world()).round(t.Context(), time.Now())
	claims := message[*process.CollectorPersistentVolumeClaim](t, payloads)
	claim := claims.PersistentVolumeClaims[0]
	if claims.ClusterId != "cluster-1" || claims.ClusterName != "meshproof" || claim.Status.Phase != "Bound" ||
		claim.Spec.VolumeName != "pvc-1" || claim.Status.Capacity["storage"] != 1<<30 {
		t.Errorf("%+v", claims)
	}
	if !slices.Contains(claim.Tags, "persistentvolumeclaim:text-to-speech") || !slices.Contains(claim.Tags, "kube_namespace:apps") || len(claim.Metadata.Annotations) != 0 {
		t.Errorf("%+v", claim)
	}
	if node := message[*process.CollectorNode](t, payloads).Nodes[0]; node.Status.Status != "Ready" || node.Roles[0] != "control-plane" {
		t.Errorf("%+v", node)
	}
	if of := message[*process.CollectorDeployment](t, payloads).Deployments[0]; of.ReplicasDesired != 2 || of.ReadyReplicas != 1 {
		t.Errorf("%+v", of)
	}
	if pod := message[*process.CollectorPod](t, payloads).Pods[0]; pod.Status != "CrashLoopBackOff" || pod.RestartCount != 3 || pod.Phase != "Running" ||
		!slices.Contains(pod.Tags, "pod_status:crashloopbackoff") {
		t.Errorf("%+v", pod)
	}
}

func TestOnlyChangesAreSentUntilAMinuteHasPassed(t *testing.T) {
	api, at := world(), time.Now()
	c := collecting(api)
	c.round(t.Context(), at)
	if again := c.round(t.Context(), at.Add(10*time.Second)); len(again) != 0 {
		t.Errorf("%d payloads without a change", len(again))
	}
	api["/api/v1/persistentvolumeclaims"] = bound("2")
	if changed := c.round(t.Context(), at.Add(20*time.Second)); len(changed) != 1 {
		t.Errorf("%d payloads for one change", len(changed))
	}
	if later := c.round(t.Context(), at.Add(2*time.Minute)); len(later) != 4 {
		t.Errorf("%d payloads after two minutes", len(later))
	}
}

func TestManyObjectsAreSplit(t *testing.T) {
	api := world()
	var many corev1.NamespaceList
	for i := range together + 1 {
		many.Items = append(many.Items, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n", UID: types.UID(rune('a' + i))}})
	}
	api["/api/v1/namespaces"] = many
	payloads := collecting(api).round(t.Context(), time.Now())
	sizes := []int{}
	for _, payload := range payloads {
		decoded, _ := process.DecodeMessage(payload.Body)
		if body, ok := decoded.Body.(*process.CollectorNamespace); ok {
			sizes = append(sizes, len(body.Namespaces))
		}
	}
	if !slices.Equal(sizes, []int{together, 1}) {
		t.Error(sizes)
	}
}

func TestAKindThatMayNotBeListedDoesNotHinderTheOthers(t *testing.T) {
	api := world()
	delete(api, "/api/v1/nodes")
	c := collecting(api)
	message[*process.CollectorPersistentVolumeClaim](t, c.round(t.Context(), time.Now()))
	if c.troubles["nodes"] == "" {
		t.Error("nobody is told")
	}
}
