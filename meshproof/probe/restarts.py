"""Which pods came, went or were restarted: a measurement in which that happened may have seen it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import floor
from typing import Any

from meshproof.kube import Cluster
from meshproof.labels import SESSION_LABEL
from meshproof.moments import clock, seconds

__all__ = ["Period", "last_restart", "restarted"]

Period = tuple[float, float]
"""From and until, in seconds since 1970."""


def restarted(
    cluster: Cluster, namespaces: Iterable[str], since: float, *, apart_from: Sequence[Period] = ()
) -> list[str]:
    """What happened to pods since a moment (seconds since 1970), a line each; nothing that fell in other periods.

    Kubernetes tells times in whole seconds: all that it says happened in the second of `since` counts. Pods that checks
    made for themselves do not, nor those of Jobs, which come and go by plan. Raises ClusterError.
    """
    found = [
        (at, words)
        for namespace in namespaces
        for pod in cluster.list("Pod", namespace, api_version="v1")
        if SESSION_LABEL not in pod["metadata"].get("labels", {}) and not _of_a_job(pod)
        for at, words in _events(pod)
        if at >= floor(since) and not any(floor(begin) <= at <= end for begin, end in apart_from)
    ]
    return [f"{words} at {clock(at)}" for at, words in sorted(found)]


def _of_a_job(pod: dict[str, Any]) -> bool:
    return any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", []))


def _events(pod: dict[str, Any]) -> Iterator[tuple[float, str]]:
    metadata = pod["metadata"]
    name = f"pod {metadata['namespace']}/{metadata['name']}"
    yield seconds(metadata["creationTimestamp"]), f"{name} was created"
    if "deletionTimestamp" in metadata:
        grace = metadata.get("deletionGracePeriodSeconds") or 0
        yield seconds(metadata["deletionTimestamp"]) - grace, f"{name} was deleted"
    status = pod.get("status", {})
    for container in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
        if last := last_restart(container):
            at, what = last
            yield at, f"container {container['name']} of {name} {what}"


def last_restart(container: Mapping[str, Any]) -> tuple[float, str] | None:
    """When a container that was restarted began again last, or else ended (seconds since 1970), and what that was in
    words; None when it never was, or when that is not told. `container` is its status as Kubernetes has it."""
    now, before = container.get("state", {}), container.get("lastState", {})
    running, ended = now.get("running") or {}, now.get("terminated") or before.get("terminated") or {}
    if not container.get("restartCount", 0):
        return None
    if running.get("startedAt"):
        return seconds(running["startedAt"]), "was restarted"
    if ended.get("finishedAt"):
        return seconds(ended["finishedAt"]), f"ended ({ended.get('reason', '')})"
    return None
