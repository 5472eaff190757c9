"""What everything else stands on: the cluster's service network and DNS, the CRDs, the namespaces."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import httpx

from meshproof.manifests import Manifest
from meshproof.stack.component import Component, NotYet
from meshproof.stack.context import StackContext
from meshproof.stack.evidence import namespace_evidence
from meshproof.stack.rollout import expect_established, expect_rolled_out
from meshproof.timeline import Step

__all__ = [
    "DATADOG_NAMESPACE",
    "ClusterDns",
    "Definitions",
    "Namespaces",
    "ServiceNetwork",
    "has_rules",
    "restart_early_pods",
    "without_definitions",
]

DATADOG_NAMESPACE = "datadog"
_CRD = "CustomResourceDefinition"
_KUBE_PROXY: Manifest = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "kube-proxy", "namespace": "kube-system"},
}
_HEALTH_PORT = 10256
# From its start to its first rules kube-proxy takes about a second; times in a pod's status are whole seconds.
_UNTIL_RULES = timedelta(seconds=2)
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


class ClusterDns(Component):
    """Names inside the cluster. On a cluster of our own CoreDNS is made to start anew, now that it can work."""

    name = "cluster dns"
    after = frozenset({"service network"})

    def manifests(self, context: StackContext) -> list[Manifest]:
        """The overlay for CoreDNS; nothing on a borrowed cluster."""
        return [] if context.settings.borrowed else context.load("cluster/overlay-coredns.yaml")

    def install(self, context: StackContext, step: Step) -> None:
        """Apply the overlay, if the cluster has what it lies over."""
        overlays = [overlay for overlay in self.objects(context) if context.find(overlay) is not None]
        step.note(f"changing {len(overlays)} objects")
        context.apply(overlays)

    def ready(self, context: StackContext) -> None:
        """CoreDNS is rolled out."""
        for workload in self.objects(context):
            if context.find(workload) is not None:
                expect_rolled_out(context.cluster, workload, can_pull=not context.from_source)

    def summary(self, context: StackContext) -> str:
        """Whether it is ours to change."""
        return "as found" if context.settings.borrowed else "CoreDNS, started anew"


class Definitions(Component):
    """The CRDs of the components, which are large and need nothing: applied while the cluster still comes up."""

    def __init__(self, name: str, components: Sequence[Component]) -> None:
        """`components` are those whose CRDs to apply; they leave them out themselves."""
        self.name = name
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
    files = ("istio/namespace.yaml", "apps", "outside", "datadog/namespace.yaml")

    def manifests(self, context: StackContext) -> list[Manifest]:
        """The Namespace objects of the other components' files."""
        return [manifest for manifest in super().manifests(context) if manifest["kind"] == "Namespace"]


def restart_early_pods(context: StackContext, namespace: str) -> int:
    """Delete the pods of a namespace that were started before kube-proxy had written its rules; how many.

    Their controllers make new ones. Only to be used on a cluster of our own.
    """
    proxies = context.cluster.list("Pod", "kube-system", labels="k8s-app=kube-proxy", api_version="v1")
    rules = max((begin + _UNTIL_RULES for pod in proxies for begin in _starts(pod)), default=None)
    early = [
        pod["metadata"]["name"]
        for pod in context.cluster.list("Pod", namespace, api_version="v1")
        if rules is not None and any(begin <= rules for begin in _starts(pod))
    ]
    for name in early:
        context.cluster.delete_object("Pod", name, namespace, "v1", wait=False)
    return len(early)


def without_definitions(manifests: Sequence[Manifest]) -> list[Manifest]:
    """The manifests that are not CRDs."""
    return [manifest for manifest in manifests if manifest["kind"] != _CRD]


def has_rules(answer: httpx.Response) -> bool:
    """Whether kube-proxy's own health says that its rules are written.

    Newer releases list each address family under "status" from its first rules on; older ones tell no more than 200.
    """
    if answer.status_code != httpx.codes.OK:
        return False
    health = answer.json()
    return bool(health.get("status")) if "healthy" in health else True


def _expect_rules(context: StackContext, pod: str) -> None:
    try:
        with (
            context.cluster.forward("kube-system", pod, _HEALTH_PORT) as address,
            httpx.Client(trust_env=False, timeout=_LOOK_SECONDS) as client,
        ):
            answer = client.get(f"http://{address}/healthz")
    except httpx.HTTPError as error:
        raise NotYet(f"{pod} does not tell its health: {type(error).__name__}") from error
    if not has_rules(answer):
        raise NotYet(f"{pod} has not written its rules")


def _starts(pod: Manifest) -> list[datetime]:
    """When the containers of a pod that run were started."""
    states = [container.get("state") or {} for container in (pod.get("status") or {}).get("containerStatuses") or []]
    texts = [(state.get("running") or {}).get("startedAt") for state in states]
    return [datetime.fromisoformat(text) for text in texts if text]
