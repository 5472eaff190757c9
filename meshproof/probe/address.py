"""The life of a LoadBalancer address: asked for, assigned, announced, given back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meshproof.kube import Cluster
from meshproof.kube.errors import UnknownKind

__all__ = ["LoadBalancer", "load_balancer"]


@dataclass(frozen=True)
class LoadBalancer:
    """A Service of type LoadBalancer, as the cluster tells of it.

    `events` are (reason, message, component), oldest first. `announced_by` are the nodes that MetalLB's
    ServiceL2Status objects name (MetalLB 0.14 and later), or the last event of a speaker where there are none.
    """

    namespace: str
    name: str
    address: str | None
    node_ports: Mapping[int, int]
    events: tuple[tuple[str, str, str], ...]
    announced_by: tuple[str, ...]

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


def load_balancer(cluster: Cluster, namespace: str, name: str) -> LoadBalancer | None:
    """The Service as it is now; None when there is none."""
    service = cluster.get("Service", name, namespace)
    if service is None:
        return None
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    events = tuple(_event(event) for event in cluster.events(namespace) if _is_about(event, service))
    return LoadBalancer(
        namespace=namespace,
        name=name,
        address=ingress[0].get("ip"),
        node_ports={port["port"]: port["nodePort"] for port in service["spec"]["ports"] if "nodePort" in port},
        events=events,
        announced_by=_announcers(cluster, namespace, name, events),
    )


def _announcers(
    cluster: Cluster, namespace: str, name: str, events: tuple[tuple[str, str, str], ...]
) -> tuple[str, ...]:
    try:
        statuses = cluster.list("ServiceL2Status", api_version="metallb.io/v1beta1")
    except UnknownKind:  # MetalLB before 0.14: the speaker's last word is in an event
        assigned = [message for reason, message, _ in events if reason == "nodeAssigned"]
        return tuple(message.split('"')[1] for message in assigned[-1:] if '"' in message)
    nodes = {
        status["status"]["node"]
        for status in statuses
        if status.get("status", {}).get("serviceName") == name
        and status["status"].get("serviceNamespace") == namespace
        and status["status"].get("node")
    }
    return tuple(sorted(nodes))


def _is_about(event: Mapping[str, Any], service: Mapping[str, Any]) -> bool:
    return bool(event.get("involvedObject", {}).get("uid") == service["metadata"]["uid"])


def _event(event: Mapping[str, Any]) -> tuple[str, str, str]:
    reporter = event.get("source", {}).get("component") or event.get("reportingComponent") or ""
    return event.get("reason", ""), event.get("message", ""), reporter
