"""Whether workloads are rolled out and CRDs established, read from the objects' own status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from meshproof.kube import Cluster
from meshproof.manifests import Manifest
from meshproof.stack.component import Hopeless, NotYet

__all__ = ["blocked", "expect_established", "expect_rolled_out", "missing_rollout"]

_NEVER_STARTS = frozenset({"ErrImageNeverPull", "InvalidImageName"})
_CANNOT_PULL = frozenset({"ErrImagePull", "ImagePullBackOff"})


def expect_rolled_out(cluster: Cluster, workload: Manifest, *, can_pull: bool) -> None:
    """Return when every replica of a Deployment or DaemonSet is of the current template and available.

    `workload` is its manifest, or anything with kind, apiVersion and metadata. Raises NotYet; Hopeless for a pod whose
    image will not come (with `can_pull` false: whose image is not in the node).
    """
    kind, metadata = workload["kind"], workload["metadata"]
    namespace = metadata["namespace"]
    found = cluster.get(kind, metadata["name"], namespace, workload["apiVersion"])
    words = f"{kind} {namespace}/{metadata['name']}"
    if found is None:
        raise NotYet(f"{words} does not exist")
    missing = missing_rollout(found)
    if missing is None:
        return
    selector = ",".join(f"{name}={value}" for name, value in found["spec"]["selector"]["matchLabels"].items())
    why = blocked(cluster.list("Pod", namespace, labels=selector), can_pull=can_pull)
    if why is not None:
        raise Hopeless(f"{words} cannot start: {why}")
    raise NotYet(f"{words}: {missing}")


def missing_rollout(workload: Manifest) -> str | None:
    """What a Deployment or DaemonSet still lacks according to its status; None when it is rolled out."""
    status: dict[str, Any] = workload.get("status") or {}
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 1):
        return "not seen by its controller"
    if workload["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
        if not wanted:
            return "scheduled on no node"
    else:
        wanted = workload["spec"].get("replicas", 1)
        updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
        if status.get("replicas", 0) > updated:
            return f"{status['replicas'] - updated} old pods still there"
    if updated < wanted:
        return f"{updated} of {wanted} pods created"
    if available < wanted:
        return f"{available} of {wanted} pods available"
    return None


def blocked(pods: Iterable[Manifest], *, can_pull: bool) -> str | None:
    """Why one of the pods will never start, if that is certain."""
    reasons = _NEVER_STARTS if can_pull else _NEVER_STARTS | _CANNOT_PULL
    for pod in pods:
        status = pod.get("status") or {}
        for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in reasons:
                hint = "" if can_pull else ", which is not in the node"
                return f"pod {pod['metadata']['name']}: {waiting['reason']} for {container.get('image')}{hint}"
    return None


def expect_established(cluster: Cluster, manifests: Iterable[Manifest]) -> None:
    """Return when the API server serves all the CRDs among the manifests. Raises NotYet."""
    for manifest in manifests:
        if manifest["kind"] != "CustomResourceDefinition":
            continue
        name = manifest["metadata"]["name"]
        found = cluster.get(manifest["kind"], name, api_version=manifest["apiVersion"]) or {}
        conditions = (found.get("status") or {}).get("conditions") or []
        if not any(item["type"] == "Established" and item["status"] == "True" for item in conditions):
            raise NotYet(f"CRD {name} is not established")
