"""What everything else stands on: the cluster's service network, the CRDs, the namespaces."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from meshproof.manifests import Manifest
from meshproof.stack.component import Component, NotYet
from meshproof.stack.context import StackContext
from meshproof.stack.evidence import namespace_evidence
from meshproof.stack.rollout import expect_established, expect_rolled_out

__all__ = ["Definitions", "Namespaces", "ServiceNetwork", "without_definitions"]

_CRD = "CustomResourceDefinition"
_KUBE_PROXY: Manifest = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "kube-proxy", "namespace": "kube-system"},
}
_HEALTH_PORT = 10256
_LOOK_SECONDS = 2.0


class ServiceNetwork(Component):
    """Nothing to install. Ready when every kube-proxy has written its rules for the first time.

    A pod that starts earlier and calls the API server at its Service address waits 30 s in vain: its connection is
    tracked without the address translation that comes a moment too late, and no repeated packet mends that.
    """

    name = "service network"

    def ready(self, context: StackContext) -> None:
        """Ask each kube-proxy; a cluster that has none brings a replacement that we cannot ask."""
        if context.find(_KUBE_PROXY) is None:
            return
        expect_rolled_out(context.cluster, _KUBE_PROXY, can_pull=not context.from_source)
        for pod in context.cluster.list("Pod", "kube-system", labels="k8s-app=kube-proxy", api_version="v1"):
            _expect_rules(context, pod["metadata"]["name"])

    def summary(self, context: StackContext) -> str:
        """Who it is made by."""
        return "kube-proxy" if context.find(_KUBE_PROXY) is not None else "not kube-proxy"

    def diagnose(self, context: StackContext) -> dict[str, str]:
        """The pods of kube-system."""
        return namespace_evidence(context.cluster, "kube-system")


class Definitions(Component):
    """The CRDs of the components, which are large and need nothing: applied while the cluster still comes up."""

    name = "CRDs"

    def __init__(self, components: Sequence[Component]) -> None:
        """`components` are those whose CRDs to apply; they leave them out themselves."""
        self._components = components

    def manifests(self, context: StackContext) -> list[Manifest]:
        """All their CRDs."""
        every = [manifest for component in self._components for manifest in component.objects(context)]
        return [manifest for manifest in every if manifest["kind"] == _CRD]

    def ready(self, context: StackContext) -> None:
        """All are established."""
        expect_established(context.cluster, self.objects(context))


class Namespaces(Component):
    """The namespaces of all that follows, before anything is put into them."""

    name = "namespaces"
    files = ("istio/namespace.yaml", "apps", "outside")

    def manifests(self, context: StackContext) -> list[Manifest]:
        """The Namespace objects of the other components' files."""
        return [manifest for manifest in super().manifests(context) if manifest["kind"] == "Namespace"]


def without_definitions(manifests: Sequence[Manifest]) -> list[Manifest]:
    """The manifests that are not CRDs."""
    return [manifest for manifest in manifests if manifest["kind"] != _CRD]


def _expect_rules(context: StackContext, pod: str) -> None:
    try:
        with (
            context.cluster.forward("kube-system", pod, _HEALTH_PORT) as address,
            httpx.Client(trust_env=False, timeout=_LOOK_SECONDS) as client,
        ):
            answer = client.get(f"http://{address}/healthz")
    except httpx.HTTPError as error:
        raise NotYet(f"{pod} does not tell its health: {type(error).__name__}") from error
    if not _has_rules(answer):
        raise NotYet(f"{pod} has not written its rules")


def _has_rules(answer: httpx.Response) -> bool:
    """Since Kubernetes 1.34 "status" lists each address family, from the first time on that its rules are written."""
    if answer.status_code != httpx.codes.OK:
        return False
    health = answer.json()
    return bool(health.get("status")) if "healthy" in health else True
