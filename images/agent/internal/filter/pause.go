package filter

// pauseImages are the containers that only hold a pod's namespaces open (comp/core/workloadfilter/legacy, 7.84).
var pauseImages = []string{
	`image:.*gcr\.io(.*)/pause.*`,
	`image:openshift/origin-pod`,
	`image:.*rhel7/pod-infrastructure`,
	`image:kubernetes/pause`,
	`image:google(_|-)containers/pause.*`,
	`image:.*azureedge\.net(.*)/pause.*`,
	`image:amazon/amazon-ecs-pause`,
	`image:aws-fargate-pause`,
	`image:(amazonaws\.com/)?eks/pause.*`,
	`image:rancher/pause.*`,
	`image:rancher/mirrored-pause.*`,
	`image:mcr\.microsoft\.com(.*)/pause.*`,
	`image:kubeletwin/pause.*`,
	`image:aksrepos\.azurecr\.io(.*)/pause.*`,
	`image:ecr(.*)amazonaws\.com/pause.*`,
	`image:upstream/pause.*`,
	`image:cdk/pause.*`,
	`image:giantswarm/pause.*`,
	`image:registry\.k8s\.io/pause.*`,
}
