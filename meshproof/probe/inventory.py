"""What runs in a namespace, in few words: workloads, their pods, ports and identities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from math import inf, isfinite
from typing import Any

from meshproof.kube import Cluster
from meshproof.moments import instant, seconds
from meshproof.probe.restarts import last_restart

__all__ = ["Pod", "Workload", "pods", "pods_of", "workloads"]

TRUST_DOMAIN = "cluster.local"


@dataclass(frozen=True)
class Pod:
    """One pod as it is now. `ready` and `containers` count init containers that stay (sidecars), too."""

    namespace: str
    name: str
    ip: str | None
    node: str | None
    phase: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    service_account: str
    containers: tuple[str, ...]
    ready: int
    restarts: int
    leaving: bool
    runs_since: float | None
    """When the first of these containers began, in seconds since 1970; None while one of them does not run."""
    restarted_at: float | None
    """When one of these containers was started again, or ended again, last, in seconds since 1970; infinity when
    that is not told."""

    @property
    def is_ready(self) -> bool:
        """Whether every container of it is ready and it is not on its way out."""
        return self.phase == "Running" and self.ready == len(self.containers) and not self.leaving

    @property
    def has_proxy(self) -> bool:
        """Whether the injector gave it a sidecar."""
        return "istio-proxy" in self.containers

    def as_evidence(self) -> dict[str, Any]:
        """All of it, and its moments as a person reads them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"runs_since": _told(self.runs_since), "restarted_at": _told(self.restarted_at)}


@dataclass(frozen=True)
class Workload:
    """A Deployment. `ports` are the container ports that its own containers declare."""

    namespace: str
    name: str
    selector: Mapping[str, str]
    template_labels: Mapping[str, str]
    replicas: int
    service_account: str
    ports: tuple[int, ...]

    @property
    def identity(self) -> str:
        """The SPIFFE ID that the mesh gives to it."""
        return f"spiffe://{TRUST_DOMAIN}/ns/{self.namespace}/sa/{self.service_account}"


def workloads(cluster: Cluster, namespace: str) -> tuple[Workload, ...]:
    """The namespace's Deployments, by name."""
    found = []
    for item in cluster.list("Deployment", namespace, api_version="apps/v1"):
        template = item["spec"]["template"]["spec"]
        found.append(
            Workload(
                namespace=namespace,
                name=item["metadata"]["name"],
                selector=item["spec"]["selector"].get("matchLabels", {}),
                template_labels=item["spec"]["template"]["metadata"].get("labels", {}),
                replicas=item["spec"].get("replicas", 1),
                service_account=template.get("serviceAccountName", "default"),
                ports=tuple(
                    port["containerPort"] for container in template["containers"] for port in container.get("ports", [])
                ),
            )
        )
    return tuple(sorted(found, key=lambda workload: workload.name))


def pods(cluster: Cluster, namespace: str, labels: Mapping[str, str] | None = None) -> tuple[Pod, ...]:
    """The namespace's pods, by name; only those with all `labels` if given."""
    selector = ",".join(f"{name}={value}" for name, value in labels.items()) if labels else None
    found = [_pod(item) for item in cluster.list("Pod", namespace, labels=selector, api_version="v1")]
    return tuple(sorted(found, key=lambda pod: pod.name))


def pods_of(cluster: Cluster, workload: Workload) -> tuple[Pod, ...]:
    """A workload's pods, without those that are being deleted."""
    return tuple(pod for pod in pods(cluster, workload.namespace, workload.selector) if not pod.leaving)


def _pod(item: Mapping[str, Any]) -> Pod:
    metadata, spec, status = item["metadata"], item["spec"], item.get("status", {})
    staying = [c["name"] for c in spec.get("initContainers", []) if c.get("restartPolicy") == "Always"]
    names = staying + [container["name"] for container in spec["containers"]]
    statuses = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    mine = [entry for entry in statuses if entry["name"] in names]
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        ip=status.get("podIP"),
        node=spec.get("nodeName"),
        phase=status.get("phase", "Unknown"),
        labels=metadata.get("labels", {}),
        annotations=metadata.get("annotations", {}),
        service_account=spec.get("serviceAccountName", "default"),
        containers=tuple(names),
        ready=sum(bool(entry.get("ready")) for entry in mine),
        restarts=sum(entry.get("restartCount", 0) for entry in mine),
        leaving="deletionTimestamp" in metadata,
        runs_since=_runs_since(mine) if len(mine) == len(names) else None,
        restarted_at=max(map(_restarted_at, (entry for entry in mine if entry.get("restartCount"))), default=None),
    )


def _told(moment: float | None) -> str | None:
    if moment is None:
        return None
    return instant(moment) if isfinite(moment) else "nobody tells when"


def _restarted_at(container: Mapping[str, Any]) -> float:
    last = last_restart(container)
    return last[0] if last else inf  # it was, and nobody tells when


def _runs_since(containers: Iterable[Mapping[str, Any]]) -> float | None:
    running = [it.get("state", {}).get("running") for it in containers]
    return min(seconds(it["startedAt"]) for it in running) if all(running) else None
