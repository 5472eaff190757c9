"""Everything that a bed needs before its cluster is created: the node image with all images in it, and the tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import docker

from meshproof.bed.images.cache import Cache
from meshproof.bed.images.catalogue import Catalogue
from meshproof.bed.images.container import EngineImages
from meshproof.bed.images.goparts import ModuleFiles
from meshproof.bed.images.node_recipe import node_base, preloaded
from meshproof.bed.images.plan import GROUP, Plan, carry_out
from meshproof.bed.images.preload import DIGESTS_LABEL, clear_leftovers
from meshproof.bed.images.recipes import built_by_engine, from_source
from meshproof.bed.images.registry import choose_source
from meshproof.bed.images.toolchain import Toolchain, find_toolchain
from meshproof.bed.images.workshop import Workshop, compiled
from meshproof.settings import ImageChoice, Settings
from meshproof.timeline import Timeline

__all__ = ["TOOLS", "PreparedImages", "PreparedTools", "prepare_images", "prepare_tools"]

TOOLS = {"kind": "kind", "istioctl": "istio"}
"""The programs that a run needs, each with the part that it is compiled from."""

_SHIPS_MANIFESTS = ("metallb", "datadog-operator")
"""The parts whose modules the stack reads manifests from."""

ENGINE_KEPT_SECONDS = 24 * 3600.0
"""How long the engine keeps images of other versions; they are quickly made again from the cache."""


@dataclass(frozen=True)
class PreparedTools:
    """The programs of a run, and what its images are called."""

    tools: Mapping[str, Path]
    source: ImageChoice
    catalogue: Catalogue
    modules: ModuleFiles

    def module_file(self, part: str, path: str) -> Path:
        """A file that a part's Go module ships, in the version of this run.

        Raises ModuleRefused when the module cannot be had, MeshproofError when it has no such file.
        """
        return self.modules.file(part, path)

    def module_folder(self, part: str) -> Path:
        """The folder of a part's Go module. Raises ModuleRefused when it cannot be had."""
        return self.modules.folder(part)


@dataclass(frozen=True)
class PreparedImages(PreparedTools):
    """The programs, and the node image.

    `node_image` is the image's name in the engine; every image of the catalogue is in its containerd under its own
    reference. `digests` tells by reference what exactly that is.
    """

    node_image: str
    digests: Mapping[str, str]


def prepare_images(
    settings: Settings, catalogue: Catalogue, client: docker.DockerClient, timeline: Timeline
) -> PreparedImages:
    """Pull or build what is not there yet. Call it where downloads work: outside the bed's own network namespace.

    Raises UsageError when the settings ask for what cannot be built, MeshproofError that names the part that failed.
    """
    catalogue = catalogue.for_settings(settings)
    cache = Cache(settings.cache)
    source = _source(settings, catalogue, timeline)
    with cache.lock():
        toolchain, modules = _toolchain(settings, catalogue, cache, timeline)
        engine = EngineImages(client, timeout=settings.timeouts.image_build)
        clear_leftovers(engine)
        workshop = Workshop(catalogue, toolchain, modules, cache, engine, settings.timeouts)
        node = _node(workshop, settings, source)
        tools = {tool: workshop.part(part) for tool, part in TOOLS.items() if tool != "kind" or not settings.kind_bin}
        order, found = workshop.plan.missing([*tools.values(), node])
        workshop.check(order)
        made = carry_out(order, found, timeline)
        if order:
            engine.drop_unused(workshop.image_names, older_than=ENGINE_KEPT_SECONDS)
    node_image = str(made[node])
    labels = client.images.get(node_image).labels or {}
    return PreparedImages(
        tools={tool: Path(made[product]) / tool for tool, product in tools.items()},
        source=source,
        catalogue=catalogue,
        modules=modules,
        node_image=node_image,
        digests=json.loads(labels.get(DIGESTS_LABEL, "{}")),
    )


def prepare_tools(settings: Settings, catalogue: Catalogue, timeline: Timeline) -> PreparedTools:
    """What a run on a cluster that is there already needs: istioctl, and no engine.

    Raises MeshproofError that names the part that failed.
    """
    catalogue = catalogue.for_settings(settings)
    cache = Cache(settings.cache)
    source = _source(settings, catalogue, timeline)
    with cache.lock():
        toolchain, modules = _toolchain(settings, catalogue, cache, timeline)
        part = catalogue.part(TOOLS["istioctl"])
        plan = Plan()
        name = plan.add(compiled(part, toolchain, cache, timeout=settings.timeouts.compile))
        made = carry_out(*plan.missing([name]), timeline)
    return PreparedTools({"istioctl": Path(made[name]) / "istioctl"}, source, catalogue, modules)


def _source(settings: Settings, catalogue: Catalogue, timeline: Timeline) -> ImageChoice:
    with timeline.step("image source", group=GROUP) as step:
        step.note("asking the registries")
        pulled = [image.reference for image in catalogue.with_role("node", "component") if not image.recipe.own]
        source = choose_source(settings.images, pulled, timeout=settings.timeouts.registry_probe)
        step.note(str(source))
    return source


def _toolchain(
    settings: Settings, catalogue: Catalogue, cache: Cache, timeline: Timeline
) -> tuple[Toolchain, ModuleFiles]:
    with timeline.step("go toolchain", group=GROUP) as step:
        toolchain = find_toolchain(catalogue.go, cache, timeout=settings.timeouts.image_build)
        step.note(f"Go {toolchain.version}")
    modules = ModuleFiles(catalogue, toolchain, timeout=settings.timeouts.image_pull)
    for part in _SHIPS_MANIFESTS:
        modules.folder(part)  # now, while downloads work: they are read from inside the bed's namespace
    return toolchain, modules


def _node(workshop: Workshop, settings: Settings, source: ImageChoice) -> str:
    catalogue = workshop.catalogue
    components = catalogue.with_role("component")
    if source is ImageChoice.SOURCE:
        base = workshop.pulled(settings.kind_image) if settings.kind_image else node_base(workshop)
        contents = {image.reference: from_source(workshop, image) for image in components}
    else:
        base = workshop.pulled(settings.kind_image or catalogue.with_role("node")[0].reference)
        contents = {
            image.reference: built_by_engine(workshop, image) if image.recipe.own else workshop.pulled(image.reference)
            for image in components
        }
    return preloaded(workshop, "node", base, contents)
