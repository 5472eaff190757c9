package events

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

var began = time.Unix(1_800_000_000, 500_000_000)

func event(uid, reason string, count int32, at time.Time) corev1.Event {
	return corev1.Event{
		ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid)}, Reason: reason, Message: reason + " it", Type: corev1.EventTypeNormal, Count: count, LastTimestamp: metav1.NewTime(at),
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "apps", Name: "goapi-1", UID: "pod-1"}, Source: corev1.EventSource{Component: "kubelet", Host: "node-1"},
	}
}

type list []corev1.Event

func (l list) Get(_ context.Context, _ string, into any) error {
	into.(*corev1.EventList).Items = l
	return nil
}

func fresh(t *testing.T, w *watcher, events ...corev1.Event) []news {
	t.Helper()
	found, err := w.fresh(t.Context(), list(events))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestOnlyWhatHappenedSinceTheStartIsNew(t *testing.T) {
	w := &watcher{began: began, told: map[string]int32{}}
	found := fresh(t, w, event("old", "Pulled", 1, began.Add(-time.Minute)), event("new", "Started", 1, began.Truncate(time.Second)))
	if len(found) != 1 || found[0].event.Reason != "Started" {
		t.Errorf("%v", found)
	}
}

func TestRepetitionsAreToldOnceAndWithTheirNumber(t *testing.T) {
	w := &watcher{began: began, told: map[string]int32{}}
	fresh(t, w, event("a", "BackOff", 2, began.Add(time.Second)))
	if again := fresh(t, w, event("a", "BackOff", 2, began.Add(time.Second))); len(again) != 0 {
		t.Errorf("%v", again)
	}
	if more := fresh(t, w, event("a", "BackOff", 5, began.Add(time.Minute))); len(more) != 1 || more[0].count != 3 {
		t.Errorf("%v", more)
	}
}

func TestAnOldEventThatHappensAgainIsNew(t *testing.T) {
	w := &watcher{began: began, told: map[string]int32{}}
	fresh(t, w, event("a", "BackOff", 2, began.Add(-time.Hour)))
	if more := fresh(t, w, event("a", "BackOff", 3, began.Add(time.Minute))); len(more) != 1 || more[0].count != 1 {
		t.Errorf("%v", more)
	}
}

func TestEventsOfOneObjectAreBundled(t *testing.T) {
	first, second, other := event("a", "Pulled", 1, began), event("b", "Started", 2, began.Add(time.Second)), event("c", "Scheduled", 1, began)
	other.InvolvedObject.Name = "goapi-2"
	made := bundles([]news{{&second, 2}, {&other, 1}, {&first, 1}}, "meshproof", []string{"kube_cluster_name:meshproof"})
	if len(made) != 2 {
		t.Fatalf("%v", made)
	}
	one := made[0]
	if one.Title != "Events from the Pod apps/goapi-1" || one.Host != "node-1-meshproof" || one.AlertType != "info" || one.Timestamp != second.LastTimestamp.Unix() {
		t.Errorf("%+v", one)
	}
	if pulled, started := strings.Index(one.Text, "1 **Pulled**: Pulled it"), strings.Index(one.Text, "2 **Started**: Started it"); pulled < 0 || started < pulled {
		t.Error(one.Text)
	}
	for _, tag := range []string{"kube_namespace:apps", "pod_name:goapi-1", "event_reason:Started", "source_component:kubelet", "kube_cluster_name:meshproof"} {
		if !slices.Contains(one.Tags, tag) {
			t.Errorf("%s is missing in %v", tag, one.Tags)
		}
	}
}

func TestWarningsStandApart(t *testing.T) {
	normal, warning := event("a", "Pulled", 1, began), event("b", "BackOff", 1, began)
	warning.Type = corev1.EventTypeWarning
	made := bundles([]news{{&normal, 1}, {&warning, 1}}, "", nil)
	if len(made) != 2 || made[1].AlertType != "warning" || strings.Contains(made[1].Text, "Pulled") {
		t.Errorf("%v", made)
	}
}
