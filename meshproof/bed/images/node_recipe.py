"""The node image as products: the base, Kubernetes with its control plane, and the bed's own images."""

from __future__ import annotations

from collections.abc import Mapping

from meshproof.bed.images.cache import key_of
from meshproof.bed.images.container import Context
from meshproof.bed.images.node_files import check_control_plane, node_context, storage_manifest
from meshproof.bed.images.plan import Made
from meshproof.bed.images.preload import preload
from meshproof.bed.images.recipes import from_source
from meshproof.bed.images.workshop import Inputs, Workshop, folder_of
from meshproof.bed.machine import CAP_SYS_RESOURCE, has_capability
from meshproof.timeline import Step

__all__ = ["node_base", "preloaded"]

_KUBERNETES_PROGRAMS = ("kubeadm", "kubectl", "kubelet")


def node_base(workshop: Workshop) -> str:
    """The node image without the bed's components: Kubernetes and its control plane."""
    catalogue = workshop.catalogue
    base = workshop.base([catalogue.with_role("node")[0].recipe.packages])
    kubernetes, containerd = workshop.part("kubernetes"), workshop.part("containerd")
    version = catalogue.part("kubernetes").version
    inside = catalogue.with_role("control-plane")
    pause, provisioner, helper = (
        catalogue.image(name).reference for name in ("pause", "local-path-provisioner", "local-path-helper")
    )

    def context(inputs: Inputs) -> Context:
        kubernetes_folder, containerd_folder = folder_of(inputs[kubernetes]), folder_of(inputs[containerd])
        check_control_plane(kubernetes_folder / "kubeadm", version, [image.reference for image in inside])
        programs = {name: kubernetes_folder / name for name in _KUBERNETES_PROGRAMS}
        programs |= {path.name: path for path in sorted(containerd_folder.iterdir())}
        upstream = workshop.modules.file("local-path-provisioner", "deploy/local-path-storage.yaml").read_text()
        return node_context(
            str(inputs[base]),
            workshop.modules.file("kind", "images/base/files"),
            programs,
            version=version,
            pause=pause,
            storage=storage_manifest(upstream, provisioner=provisioner, helper=helper),
            may_lower_oom_scores=may_lower_oom_scores,
        )

    may_lower_oom_scores = has_capability(CAP_SYS_RESOURCE)
    modules = [catalogue.module(name) for name in ("kind", "local-path-provisioner")]
    facts = ("node 3", version, pause, provisioner, helper, may_lower_oom_scores, modules)
    empty = workshop.image("image node-empty", "node-empty", (base, kubernetes, containerd), facts, context)
    contents = {image.reference: from_source(workshop, image) for image in inside}
    return preloaded(workshop, "node-base", empty, contents)


def preloaded(workshop: Workshop, image: str, base: str, contents: Mapping[str, str]) -> str:
    """The node image that the product `base` is, with images put into it: from reference to product."""
    after = (base, *dict.fromkeys(contents.values()))
    key = key_of("preload 1", sorted(contents), [workshop.keys[name] for name in after])

    def make(inputs: Inputs, step: Step) -> Made:
        return preload(
            workshop.engine,
            workshop.cache,
            image,
            key,
            base=str(inputs[base]),
            contents={reference: str(inputs[name]) for reference, name in contents.items()},
            timeout=workshop.timeouts.image_build,
            note=step.note,
        )

    return workshop.engine_image(f"image {image}", image, key, after, make)
