"""What the components are told about the run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from meshproof.files import fixtures_folder
from meshproof.keys import SITE, Keys
from meshproof.kube import Cluster, UnknownKind
from meshproof.labels import RUN_LABEL
from meshproof.manifests import Manifest, load_manifests
from meshproof.settings import Settings

__all__ = ["StackContext", "run_of"]


@dataclass(frozen=True)
class StackContext:
    """One run's cluster and what to install there."""

    cluster: Cluster
    settings: Settings
    run_id: str
    kubeconfig: Path
    """For istioctl; with `kube_context` where it is not the kubeconfig's current one."""
    istioctl: Path
    metallb_manifest: Path
    """metallb-native.yaml of the release that `settings.metallb` names."""
    operator_manifests: Path
    """The folder of the Datadog operator's sources: its CRDs and its rights are in `config` there."""
    pool: str
    """FIRST-LAST or CIDR: the addresses that MetalLB may give away."""
    istio_hub: str
    istio_tag: str
    from_source: bool
    """The images are built here: the proxy is upstream Envoy, and what is not in the nodes cannot be pulled."""
    ingress_node: bool
    """A node carries the label meshproof.dev/ingress=true, for the gateway."""
    kube_context: str | None = None
    keys: Keys = field(default_factory=Keys.minted)
    """For the Secret that the agents and the intake read."""
    datadog_site: str = SITE
    """Where agents send when the backend is Datadog itself."""
    istio_overlays: tuple[Path, ...] = ()
    """Further IstioOperator files, laid over the others in this order."""
    folder: Path = field(default_factory=lambda: fixtures_folder() / "manifests")

    def load(self, *names: str) -> list[Manifest]:
        """The objects in files or folders of fixtures/manifests."""
        return load_manifests(self.folder / name for name in names)

    def apply(self, manifests: Sequence[Manifest], *, dry_run: bool = False) -> list[Manifest]:
        """Apply objects, marked as this run's."""
        return self.cluster.apply(manifests, labels={RUN_LABEL: self.run_id}, dry_run=dry_run)

    def find(self, manifest: Manifest) -> Manifest | None:
        """The object of that kind and name as the cluster has it, or None."""
        metadata = manifest["metadata"]
        try:
            return self.cluster.get(
                manifest["kind"], metadata["name"], metadata.get("namespace"), manifest["apiVersion"]
            )
        except UnknownKind:
            return None

    def delete_own(self, manifests: Sequence[Manifest]) -> None:
        """Delete those of the objects that carry this run's label, and wait until they are gone."""
        own = [manifest for manifest in manifests if run_of(self.find(manifest)) == self.run_id]
        self.cluster.delete(own)

    def content(self) -> str:
        """A short hash of everything that decides what gets installed, apart from images."""
        digest = hashlib.sha256()
        files = [*sorted(self.folder.rglob("*.yaml")), self.metallb_manifest, *self.istio_overlays]
        for file in files:
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
        digest.update(f"{self.pool} {self.istio_hub}:{self.istio_tag} {self.from_source} {self.ingress_node}".encode())
        digest.update(f" {self.operator_manifests.name} {self.settings.datadog} {self.datadog_site}".encode())
        return digest.hexdigest()[:16]


def run_of(manifest: Manifest | None) -> str | None:
    """The run that an object belongs to; None for objects that are not ours, or not there."""
    labels = ((manifest or {}).get("metadata") or {}).get("labels") or {}
    return labels.get(RUN_LABEL)
