"""What a soak restarts, and how many requests each restart may cost: one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from meshproof.errors import UsageError
from meshproof.mend.references import Reference

__all__ = ["COMPONENTS", "Component", "How", "components"]


class How(StrEnum):
    """Workloads of an operator are not rolled: it would take a change of their template back."""

    ROLL = "roll"
    """As `kubectl rollout restart` does it."""
    DELETE = "delete"
    """Its pods are deleted, and others come."""


@dataclass(frozen=True)
class Component:
    """A workload. `may_lose` requests may fail while it restarts: 0 for what no request passes."""

    name: str
    kind: str
    namespace: str
    workload: str
    may_lose: int = 0
    how: How = How.ROLL

    @property
    def reference(self) -> Reference:
        """The workload as an object of the cluster."""
        return Reference(apiVersion="apps/v1", kind=self.kind, name=self.workload, namespace=self.namespace)


COMPONENTS = (
    Component("istiod", "Deployment", "istio-system", "istiod"),
    Component("metallb controller", "Deployment", "metallb-system", "controller"),
    # It announces the address: until another pod does, new neighbours find none.
    Component("metallb speaker", "DaemonSet", "metallb-system", "speaker", may_lose=50),
    # Connections of clients end with the pod that they lead to.
    Component("ingress gateway", "Deployment", "istio-system", "istio-ingressgateway", may_lose=100),
    Component("goapi", "Deployment", "apps", "goapi"),
    Component("alpine", "Deployment", "apps", "alpine"),
    # A request that is under way to a pod that ends is answered by it, or tried again elsewhere.
    Component("text-to-speech", "Deployment", "apps", "text-to-speech", may_lose=20),
    Component("text-to-speech-canary", "Deployment", "apps", "text-to-speech-canary", may_lose=20),
    Component("operator", "Deployment", "datadog", "datadog-operator"),
    Component("cluster agent", "Deployment", "datadog", "datadog-cluster-agent", how=How.DELETE),
    Component("agent", "DaemonSet", "datadog", "datadog-agent", how=How.DELETE),
    Component("intake", "Deployment", "datadog", "intake"),
)


def components(may_lose: Mapping[str, int], left_out: frozenset[str] = frozenset()) -> tuple[Component, ...]:
    """The table, with other budgets for those that are named.

    Raises UsageError for a name that is not in it.
    """
    unknown = sorted({*may_lose, *left_out} - {component.name for component in COMPONENTS})
    if unknown:
        known = ", ".join(component.name for component in COMPONENTS)
        raise UsageError("a soak restarts no such component", seen=", ".join(unknown), remedy=f"one of {known}")
    return tuple(
        replace(component, may_lose=may_lose.get(component.name, component.may_lose))
        for component in COMPONENTS
        if component.name not in left_out
    )
