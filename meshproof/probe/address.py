"""The life of a LoadBalancer address: asked for, assigned, announced, given back."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from meshproof.kube import Cluster
from meshproof.kube.errors import UnknownKind
from meshproof.moments import seconds

__all__ = ["LoadBalancer", "load_balancer"]

_POOL = ("metallb.io/ip-allocated-from-pool", "metallb.universe.tf/ip-allocated-from-pool")  # the latter before 0.15

_EVENTS_LAST = 3000.0
"""Seconds for which an event is surely kept: an API server forgets it after an hour (kube-apiserver's --event-ttl)."""


@dataclass(frozen=True)
class LoadBalancer:
    """A Service of type LoadBalancer, as the cluster tells of it.

    `events` are (reason, message, component), oldest first. `announced_by` are the nodes that MetalLB's
    ServiceL2Status objects name (MetalLB 0.14 and later), or the last event of a speaker where there are none. `pool`
    is the one that the address is from, by MetalLB's own note on the Service. `given` and `announced` tell when address
    and announcement were last written down, in seconds since 1970; None where nothing tells that.
    """

    namespace: str
    name: str
    address: str | None
    node_ports: Mapping[int, int]
    events: tuple[tuple[str, str, str], ...]
    announced_by: tuple[str, ...]
    pool: str | None = None
    given: float | None = None
    announced: float | None = None

    @property
    def pending(self) -> bool:
        """Whether it still waits for an address."""
        return self.address is None

    def reasons(self, component: str) -> list[str]:
        """The reasons of the events that a component reported."""
        return [reason for reason, _, reporter in self.events if component in reporter]

    def messages(self, reason: str) -> list[str]:
        """The messages of the events with that reason."""
        return [message for kind, message, _ in self.events if kind == reason]

    def is_silent(self, component: str, reason: str, since: float | None) -> bool:
        """Whether a component's event of a moment is missing that must still be there: one of long ago is forgotten by
        the API server."""
        is_kept = since is None or time.time() - since < _EVENTS_LAST
        return is_kept and reason not in self.reasons(component)


def load_balancer(cluster: Cluster, namespace: str, name: str) -> LoadBalancer | None:
    """The Service as it is now; None when there is none."""
    service = cluster.get("Service", name, namespace)
    if service is None:
        return None
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    events = tuple(_event(event) for event in cluster.events(namespace) if _is_about(event, service))
    statuses = _statuses(cluster, namespace, name)
    notes = service["metadata"].get("annotations") or {}
    return LoadBalancer(
        namespace=namespace,
        name=name,
        address=ingress[0].get("ip"),
        node_ports={port["port"]: port["nodePort"] for port in service["spec"]["ports"] if "nodePort" in port},
        events=events,
        announced_by=_announcers(statuses, events),
        pool=next((notes[key] for key in _POOL if key in notes), None),
        given=_written([service]),
        announced=_written(statuses or ()),
    )


def _statuses(cluster: Cluster, namespace: str, name: str) -> list[dict[str, Any]] | None:
    """What speakers say of a Service; None where MetalLB has no such kind."""
    try:
        found = cluster.list("ServiceL2Status", api_version="metallb.io/v1beta1")
    except UnknownKind:
        return None
    its = {"serviceName": name, "serviceNamespace": namespace}
    return [status for status in found if its.items() <= (status.get("status") or {}).items()]


def _announcers(statuses: list[dict[str, Any]] | None, events: tuple[tuple[str, str, str], ...]) -> tuple[str, ...]:
    if statuses is None:  # MetalLB before 0.14: the speaker's last word is in an event
        assigned = [message for reason, message, _ in events if reason == "nodeAssigned"]
        return tuple(message.split('"')[1] for message in assigned[-1:] if '"' in message)
    return tuple(sorted({status["status"]["node"] for status in statuses if status["status"].get("node")}))


def _written(objects: Iterable[Mapping[str, Any]]) -> float | None:
    """When the status of any of them was last written."""
    fields = [field for it in objects for field in it["metadata"].get("managedFields") or ()]
    times = [field["time"] for field in fields if field.get("subresource") == "status" and field.get("time")]
    return max(map(seconds, times), default=None)


def _is_about(event: Mapping[str, Any], service: Mapping[str, Any]) -> bool:
    return bool(event.get("involvedObject", {}).get("uid") == service["metadata"]["uid"])


def _event(event: Mapping[str, Any]) -> tuple[str, str, str]:
    reporter = event.get("source", {}).get("component") or event.get("reportingComponent") or ""
    return event.get("reason", ""), event.get("message", ""), reporter
