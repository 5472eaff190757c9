package events

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Event is one item of the payload.
type Event struct {
	Title          string   `json:"msg_title"`
	Text           string   `json:"msg_text"`
	Timestamp      int64    `json:"timestamp"`
	Priority       string   `json:"priority"`
	Host           string   `json:"host"`
	Tags           []string `json:"tags"`
	AlertType      string   `json:"alert_type"`
	AggregationKey string   `json:"aggregation_key"`
	SourceTypeName string   `json:"source_type_name"`
	EventType      string   `json:"event_type"`
}

// happened is when the event was seen last.
func happened(event *corev1.Event) time.Time {
	switch {
	case event.Series != nil && !event.Series.LastObservedTime.IsZero():
		return event.Series.LastObservedTime.Time
	case !event.LastTimestamp.IsZero():
		return event.LastTimestamp.Time
	case !event.EventTime.IsZero():
		return event.EventTime.Time
	}
	return event.CreationTimestamp.Time
}

func times(event *corev1.Event) int32 {
	if event.Series != nil {
		return max(1, event.Series.Count)
	}
	return max(1, event.Count)
}

func emitter(event *corev1.Event) string {
	return cmp.Or(event.Source.Component, event.ReportingController, "unknown")
}

// news is what an event has to tell since the last round.
type news struct {
	event *corev1.Event
	count int32
}

// bundles makes one event for each object that something happened to, as the agent does unless it is told to unbundle.
func bundles(all []news, cluster string, global []string) []Event {
	of := map[string][]news{}
	var order []string
	for _, one := range all {
		object := one.event.InvolvedObject
		key := object.Kind + "/" + object.Namespace + "/" + object.Name + "/" + string(object.UID) + "/" + one.event.Type
		if of[key] == nil {
			order = append(order, key)
		}
		of[key] = append(of[key], one)
	}
	slices.Sort(order)
	var made []Event
	for _, key := range order {
		made = append(made, bundle(of[key], cluster, global))
	}
	return made
}

func bundle(all []news, cluster string, global []string) Event {
	slices.SortStableFunc(all, func(a, b news) int { return happened(a.event).Compare(happened(b.event)) })
	last := all[len(all)-1].event
	object := last.InvolvedObject
	called := object.Name
	if object.Namespace != "" {
		called = object.Namespace + "/" + object.Name
	}
	made := Event{
		Title: fmt.Sprintf("Events from the %s %s", object.Kind, called), Timestamp: happened(last).Unix(), Priority: "normal", Host: host(last, cluster),
		AlertType: "info", AggregationKey: "kubernetes_apiserver:" + string(object.UID), SourceTypeName: "kubernetes", EventType: "kubernetes_apiserver",
		Tags: tagsOf(all, global),
	}
	if last.Type == corev1.EventTypeWarning {
		made.AlertType = "warning"
	}
	var text strings.Builder
	text.WriteString("%%% \n")
	for _, one := range all {
		fmt.Fprintf(&text, "%d **%s**: %s\n", one.count, one.event.Reason, strings.TrimSpace(one.event.Message))
	}
	fmt.Fprintf(&text, " \n _Events emitted by the %s seen at %s since %s_ \n\n %%%%%%", emitter(last),
		happened(last).UTC().Format(time.RFC3339), happened(all[0].event).UTC().Format(time.RFC3339))
	made.Text = text.String()
	return made
}

func host(event *corev1.Event, cluster string) string {
	node := event.Source.Host
	if event.InvolvedObject.Kind == "Node" {
		node = event.InvolvedObject.Name
	}
	if node == "" || cluster == "" {
		return node
	}
	return node + "-" + cluster
}

func tagsOf(all []news, global []string) []string {
	object := all[0].event.InvolvedObject
	own := []string{"kube_kind:" + object.Kind, "kube_name:" + object.Name, "kubernetes_kind:" + object.Kind, "name:" + object.Name}
	if object.Namespace != "" {
		own = append(own, "kube_namespace:"+object.Namespace, "namespace:"+object.Namespace)
	}
	if object.Kind == "Pod" {
		own = append(own, "pod_name:"+object.Name)
	}
	for _, one := range all {
		own = append(own, "source_component:"+emitter(one.event), "event_reason:"+one.event.Reason)
	}
	own = append(own, global...)
	slices.Sort(own)
	return slices.Compact(own)
}
