"""The sample applications, their routes, and what stands outside the mesh."""

from __future__ import annotations

from collections.abc import Sequence

from meshproof.manifests import Manifest
from meshproof.stack.component import Component, Hopeless
from meshproof.stack.context import StackContext
from meshproof.stack.istio import has_sidecar
from meshproof.stack.rollout import expect_rolled_out

__all__ = ["Apps", "Outside", "Routes"]


class Routes(Component):
    """The promises about the apps: strict mTLS, routes, the canary's split."""

    name = "routes"
    after = frozenset({"istio"})
    files = tuple(f"istio/{name}.yaml" for name in ("peer-authentication", "goapi", "alpine", "text-to-speech"))


class Apps(Component):
    """The sample applications. Ready when rolled out, every pod with its sidecar."""

    name = "apps"
    after = frozenset({"istio", "cluster dns"})
    files = ("apps",)

    def ready(self, context: StackContext) -> None:
        """All Deployments are rolled out and no pod was missed by the injector."""
        _expect_all(context, self.objects(context))
        for pod in context.cluster.list("Pod", "apps", api_version="v1"):
            if not has_sidecar(pod):
                raise Hopeless(f"pod apps/{pod['metadata']['name']} was given no sidecar")


class Outside(Component):
    """A client and a plain responder without sidecars, so that what the mesh refuses can be told from what is down."""

    name = "outside"
    after = frozenset({"namespaces", "service network"})
    files = ("outside",)

    def ready(self, context: StackContext) -> None:
        """Both are rolled out."""
        _expect_all(context, self.objects(context))


def _expect_all(context: StackContext, manifests: Sequence[Manifest]) -> None:
    for workload in manifests:
        if workload["kind"] in ("Deployment", "DaemonSet"):
            expect_rolled_out(context.cluster, workload, can_pull=not context.from_source)
