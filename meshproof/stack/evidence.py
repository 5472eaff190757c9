"""What a namespace shows about a component that does not get ready: pods, events, last log lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from meshproof.errors import MeshproofError
from meshproof.kube import Cluster
from meshproof.manifests import Manifest

__all__ = ["describe_pod", "namespace_evidence"]

_EVENTS = 8
_LOG_LINES = 12
_LOGS = 3


def namespace_evidence(cluster: Cluster, namespace: str, *, labels: str | None = None) -> dict[str, str]:
    """Pod states, the last warnings, and the last log lines of containers that are not ready.

    `labels` narrows the pods, as in "app=metallb"; events are those of the whole namespace.
    """
    pods = cluster.list("Pod", namespace, labels=labels)
    evidence = {f"pods in {namespace}": "\n".join(describe_pod(pod) for pod in pods) or "none"}
    warnings = [event for event in cluster.events(namespace) if event.get("type") == "Warning"]
    if warnings:
        evidence[f"last warnings in {namespace}"] = "\n".join(_describe_event(event) for event in warnings[-_EVENTS:])
    for pod, container, restarted in list(_not_ready(pods))[:_LOGS]:
        try:
            text = cluster.logs(namespace, pod, container, previous=restarted, tail=_LOG_LINES)
        except MeshproofError:
            continue  # it never ran; the pod's state says why
        title = f"{'log before the last restart' if restarted else 'log'} of {pod}, {container}"
        evidence[title] = text.rstrip() or "empty"
    return evidence


def describe_pod(pod: Manifest) -> str:
    """One pod in one line: its phase, and each container that is not ready with the reason."""
    status: dict[str, Any] = pod.get("status") or {}
    containers = list(_statuses(pod))
    ready = sum(bool(container.get("ready")) for container in containers)
    parts = [f"{status.get('phase', 'Unknown')}, {ready} of {len(containers)} containers ready"]
    parts.extend(
        f"not scheduled: {condition.get('message') or condition.get('reason')}"
        for condition in status.get("conditions") or []
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False"
    )
    parts.extend(f"{container['name']}: {_state(container)}" for container in containers if not container.get("ready"))
    return f"{pod['metadata']['name']}: {'; '.join(parts)}"


def _statuses(pod: Manifest) -> Iterator[dict[str, Any]]:
    """The containers that have to be ready together: ordinary ones, native sidecars, and init containers not done."""
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    sidecars = {entry["name"] for entry in spec.get("initContainers") or [] if entry.get("restartPolicy") == "Always"}
    for container in status.get("initContainerStatuses") or []:
        terminated = (container.get("state") or {}).get("terminated") or {}
        done = container["name"] not in sidecars and terminated.get("exitCode") == 0
        if not done:
            yield container
    yield from status.get("containerStatuses") or []


def _state(container: dict[str, Any]) -> str:
    state = container.get("state") or {}
    name = next(iter(state), "unknown")
    detail = state.get(name) or {}
    words = [name, *(str(detail[field]) for field in ("reason", "message") if detail.get(field))]
    if "exitCode" in detail:
        words.append(f"exit code {detail['exitCode']}")
    if container.get("restartCount"):
        words.append(f"{container['restartCount']} restarts")
    return ", ".join(words)


def _not_ready(pods: list[Manifest]) -> Iterator[tuple[str, str, bool]]:
    for pod in pods:
        for container in _statuses(pod):
            if not container.get("ready"):
                waiting = "waiting" in (container.get("state") or {})
                yield pod["metadata"]["name"], container["name"], waiting and bool(container.get("restartCount"))


def _describe_event(event: Manifest) -> str:
    about = event.get("involvedObject") or {}
    count = (event.get("series") or {}).get("count") or event.get("count") or 1
    times = f" ({count} times)" if count > 1 else ""
    return f"{about.get('kind')} {about.get('name')}: {event.get('reason')}: {event.get('message')}{times}"
