package orchestrator

import (
	"context"

	"github.com/DataDog/agent-payload/v5/process"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// api is what is asked for the objects; cluster.Client is one.
type api interface {
	Get(ctx context.Context, path string, into any) error
}

// batch is what every message says of its cluster and of itself.
type batch struct {
	cluster, id   string
	number, count int32
	tags          []string
	version       *process.AgentVersion
}

// kind is one kind of object. list gives the versions of the objects by uid, and how to make the message of some of them.
type kind struct {
	name string
	list func(ctx context.Context, api api) (*listing, error)
}

type listing struct {
	uids    []string
	version map[string]string
	message func(b batch, uids []string) process.MessageBody
}

// listed makes a kind whose objects T become M and are sent in the message that collect makes. tag is the tag with the
// object's name.
func listed[T any, P interface {
	*T
	metav1.Object
}, M any](name, path, tag string, convert func(P, []string) *M, collect func(batch, []*M) process.MessageBody) kind {
	return kind{name, func(ctx context.Context, api api) (*listing, error) {
		var answer struct {
			Items []T `json:"items"`
		}
		if err := api.Get(ctx, path, &answer); err != nil {
			return nil, err
		}
		objects := map[string]P{}
		made := &listing{version: map[string]string{}}
		for i := range answer.Items {
			of := P(&answer.Items[i])
			uid := string(of.GetUID())
			objects[uid], made.version[uid] = of, of.GetResourceVersion()
			made.uids = append(made.uids, uid)
		}
		made.message = func(b batch, uids []string) process.MessageBody {
			converted := make([]*M, 0, len(uids))
			for _, uid := range uids {
				of := objects[uid]
				own := []string{tag + ":" + of.GetName()}
				if of.GetNamespace() != "" {
					own = append(own, "kube_namespace:"+of.GetNamespace())
				}
				converted = append(converted, convert(of, append(own, b.tags...)))
			}
			return collect(b, converted)
		}
		return made, nil
	}}
}

// kinds are what is collected; pods come from here as well, not from the node agents.
var kinds = []kind{
	listed("namespaces", "/api/v1/namespaces", "kube_namespace", namespace,
		func(b batch, all []*process.Namespace) process.MessageBody {
			return &process.CollectorNamespace{
				ClusterName: b.cluster, ClusterId: b.id, GroupId: b.number, GroupSize: b.count, Tags: b.tags, AgentVersion: b.version,
				Namespaces: all,
			}
		}),
	listed("nodes", "/api/v1/nodes", "kube_node", node,
		func(b batch, all []*process.Node) process.MessageBody {
			return &process.CollectorNode{
				ClusterName: b.cluster, ClusterId: b.id, GroupId: b.number, GroupSize: b.count, Tags: b.tags, AgentVersion: b.version,
				Nodes: all,
			}
		}),
	listed("pods", "/api/v1/pods", "pod_name", pod,
		func(b batch, all []*process.Pod) process.MessageBody {
			return &process.CollectorPod{
				ClusterName: b.cluster, ClusterId: b.id, GroupId: b.number, GroupSize: b.count, Tags: b.tags, AgentVersion: b.version,
				Pods: all,
			}
		}),
	listed("services", "/api/v1/services", "kube_service", service,
		func(b batch, all []*process.Service) process.MessageBody {
			return &process.CollectorService{
				ClusterName: b.cluster, ClusterId: b.id, GroupId: b.number, GroupSize: b.count, Tags: b.tags, AgentVersion: b.version,
				Services: all,
			}
		}),
	listed("deployments", "/apis/apps/v1/deployments", "kube_deployment", deployment,
		func(b batch, all []*process.Deployment) process.MessageBody {
			return &process.CollectorDeployment{
				ClusterName: b.cluster, ClusterId: b.id, GroupId: b.number, GroupSize: b.count, Tags: b.tags, AgentVersion: b.version,
				Deployments: all,
			}
		}),
	listed("replica sets", "/apis/apps/v1/replicasets", "kube_replica_set", replicaSet,
		func(b batch, all []*process.ReplicaSet) process.MessageBody {
			return &process.CollectorReplicaSet{
				ClusterName: b.cluster, ClusterId: b.id, GroupId: b.number, GroupSize: b.count, Tags: b.tags, AgentVersion: b.version,
				ReplicaSets: all,
			}
		}),
	listed("daemon sets", "/apis/apps/v1/daemonsets", "kube_daemon_set", daemonSet,
		func(b batch, all []*process.DaemonSet) process.MessageBody {
			return &process.CollectorDaemonSet{
				ClusterName: b.cluster, ClusterId: b.id, GroupId: b.number, GroupSize: b.count, Tags: b.tags, AgentVersion: b.version,
				DaemonSets: all,
			}
		}),
	listed("stateful sets", "/apis/apps/v1/statefulsets", "kube_stateful_set", statefulSet,
		func(b batch, all []*process.StatefulSet) process.MessageBody {
			return &process.CollectorStatefulSet{
				ClusterName: b.cluster, ClusterId: b.id, GroupId: b.number, GroupSize: b.count, Tags: b.tags, AgentVersion: b.version,
				StatefulSets: all,
			}
		}),
	listed("persistent volumes", "/api/v1/persistentvolumes", "pv_name", volume,
		func(b batch, all []*process.PersistentVolume) process.MessageBody {
			return &process.CollectorPersistentVolume{
				ClusterName: b.cluster, ClusterId: b.id, GroupId: b.number, GroupSize: b.count, Tags: b.tags, AgentVersion: b.version,
				PersistentVolumes: all,
			}
		}),
	listed("persistent volume claims", "/api/v1/persistentvolumeclaims", "persistentvolumeclaim", claim,
		func(b batch, all []*process.PersistentVolumeClaim) process.MessageBody {
			return &process.CollectorPersistentVolumeClaim{
				ClusterName: b.cluster, ClusterId: b.id, GroupId: b.number, GroupSize: b.count, Tags: b.tags, AgentVersion: b.version,
				PersistentVolumeClaims: all,
			}
		}),
}
