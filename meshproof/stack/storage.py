"""Storage: nothing is installed, the cluster's own default StorageClass is proven to be there."""

from __future__ import annotations

from meshproof.errors import UsageError
from meshproof.manifests import Manifest
from meshproof.stack.component import Component
from meshproof.stack.context import StackContext
from meshproof.stack.evidence import namespace_evidence
from meshproof.stack.foundations import restart_early_pods
from meshproof.stack.rollout import expect_rolled_out
from meshproof.timeline import Step

__all__ = ["Storage"]

_DEFAULT = "storageclass.kubernetes.io/is-default-class"
# kind's own provisioner, and the Deployment that stands behind it; others are taken at their word.
_PROVISIONERS: dict[str, Manifest] = {
    "rancher.io/local-path": {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "local-path-provisioner", "namespace": "local-path-storage"},
    }
}


class Storage(Component):
    """Ready when there is a default StorageClass and, where we know it, its provisioner runs."""

    name = "storage"
    after = frozenset({"service network"})

    def check(self, context: StackContext) -> None:
        """There is a default StorageClass."""
        _default_class(context)

    def summary(self, context: StackContext) -> str:
        """The class that volumes will be of."""
        return f"StorageClass {_default_class(context)['metadata']['name']}"

    def install(self, context: StackContext, step: Step) -> None:
        """Nothing, but for a provisioner of our own cluster that was started too early to reach the API server."""
        provisioner = self._provisioner(context)
        if provisioner is not None and not context.settings.borrowed:
            restarted = restart_early_pods(context, provisioner["metadata"]["namespace"])
            step.note(f"{restarted} pods started anew")

    def ready(self, context: StackContext) -> None:
        """The provisioner is rolled out."""
        provisioner = self._provisioner(context)
        if provisioner is not None:
            expect_rolled_out(context.cluster, provisioner, can_pull=not context.from_source)

    def diagnose(self, context: StackContext) -> dict[str, str]:
        """The provisioner's namespace, where it has one of its own."""
        return namespace_evidence(context.cluster, "local-path-storage")

    def _provisioner(self, context: StackContext) -> Manifest | None:
        known = _PROVISIONERS.get(_default_class(context)["provisioner"])
        return known if known is not None and context.find(known) is not None else None


def _default_class(context: StackContext) -> Manifest:
    classes = context.cluster.list("StorageClass", api_version="storage.k8s.io/v1")
    for storage_class in classes:
        if (storage_class["metadata"].get("annotations") or {}).get(_DEFAULT) == "true":
            return storage_class
    raise UsageError(
        "the cluster has no default StorageClass, and text-to-speech needs a volume",
        seen=", ".join(item["metadata"]["name"] for item in classes) or "no StorageClass at all",
        remedy=f"annotate one with {_DEFAULT}=true",
    )
