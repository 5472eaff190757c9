"""From catalogue entries to products: what each image is made of."""

from __future__ import annotations

from pathlib import Path

from meshproof.bed.images.cache import folder_key, key_of
from meshproof.bed.images.catalogue import Image
from meshproof.bed.images.container import Context
from meshproof.bed.images.dockerfile import Compiled, PythonPackages, read_dockerfile
from meshproof.bed.images.goparts import compile_folder
from meshproof.bed.images.plan import Made, Means
from meshproof.bed.images.pypi import install_packages
from meshproof.bed.images.workshop import Inputs, Workshop, folder_of
from meshproof.timeline import Step

__all__ = ["app_folder", "built_by_engine", "from_source"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def from_source(workshop: Workshop, image: Image) -> str:
    """The product that is this image, built from packages."""
    if image.recipe.app is not None:
        return _app(workshop, image)
    return _assembled(workshop, image)


def built_by_engine(workshop: Workshop, image: Image) -> str:
    """The product that is this app's image, built by the engine from its Dockerfile as it stands."""
    folder = app_folder(workshop, image)
    key = key_of("docker build 1", folder_key(folder))

    def make(_: Inputs, step: Step) -> Made:
        return workshop.engine.build_folder(image.name, key, folder, step.note)

    return workshop.engine_image(f"image {image.name}", image.name, key, (), make)


def app_folder(workshop: Workshop, image: Image) -> Path:
    """Where the app's sources and its Dockerfile are."""
    assert image.recipe.app is not None
    return workshop.catalogue.root / "fixtures" / "apps" / image.recipe.app


def _assembled(workshop: Workshop, image: Image) -> str:
    """Base, packages, programs, files: whatever the entry lists."""
    recipe = image.recipe
    bare = not (recipe.programs or recipe.files or recipe.wheels)
    on_debian = bool(recipe.packages) or bare
    base = workshop.base([recipe.packages] if recipe.packages else []) if on_debian else ""
    if bare:
        return base
    programs = [program.partition("/") for program in recipe.programs]
    parts = {name: workshop.part(name) for name, _, _ in programs}
    wheels = {requirement: workshop.wheel(requirement) for requirement in recipe.wheels}
    after = list(dict.fromkeys([*([base] if base else []), *parts.values(), *wheels.values()]))
    versions = [workshop.catalogue.module(source.partition(":")[0]) for source in recipe.files]

    def context(inputs: Inputs) -> Context:
        made = Context("")
        targets = []
        for name, _, program in programs:
            built, _, called = program.partition("=")
            targets.append(f"{recipe.folder.rstrip('/')}/{called or built}")
            made.add(f"files{targets[-1]}", folder_of(inputs[parts[name]]) / built, executable=True)
        for requirement, members in recipe.wheels.items():
            for member, target in members.items():
                made.add(f"files{target}", folder_of(inputs[wheels[requirement]]) / member, executable=True)
        for source, target in recipe.files.items():
            part, _, path = source.partition(":")
            made.add(f"files{target}", workshop.modules.file(part, path))
        lines = [f"FROM {inputs[base] if base else 'scratch'}"]
        lines += [f"RUN useradd --create-home --uid {uid} {name}" for name, uid in recipe.accounts.items()]
        lines += ["COPY files/ /", f"ENV PATH={_PATH}"]
        if recipe.user is not None:
            lines.append(f"USER {recipe.user}:{recipe.user}")
        lines.append(f'ENTRYPOINT ["{targets[0]}"]')
        made.dockerfile = "\n".join([*lines, ""])
        return made

    facts = (recipe.model_dump(exclude={"role", "reference"}), versions)
    return workshop.image(f"image {image.name}", image.name, after, facts, context)


def _app(workshop: Workshop, image: Image) -> str:
    """An app of ours, as its Dockerfile says."""
    folder = app_folder(workshop, image)
    recipe = read_dockerfile(folder / "Dockerfile", workshop.catalogue.debian)
    key = folder_key(folder)
    stages = {stage.stage: _stage(workshop, image.name, folder, key, stage) for stage in recipe.stages}
    base = workshop.base(recipe.packages) if recipe.on_debian else ""
    after = [*([base] if base else []), *stages.values()]

    def context(inputs: Inputs) -> Context:
        made = Context(recipe.dockerfile(str(inputs[base]) if base else "scratch"))
        if recipe.copies_sources:
            made.add("app", folder)
        for stage in recipe.stages:
            made.add(f"stages/{stage.stage}{stage.path}", folder_of(inputs[stages[stage.stage]]) / "out")
        return made

    own = key if recipe.copies_sources else ""
    return workshop.image(f"image {image.name}", image.name, after, (recipe, own), context)


def _stage(workshop: Workshop, app: str, folder: Path, key: str, stage: Compiled | PythonPackages) -> str:
    """What one build stage of an app's Dockerfile ends in, as `out` in a folder of the cache."""

    def compile_app(out: Path, _: Inputs, step: Step) -> None:
        timeout = workshop.timeouts.compile
        compile_folder(app, folder, workshop.toolchain, out / "out", timeout=timeout, note=step.note)

    if isinstance(stage, Compiled):
        own = key_of("app 1", workshop.toolchain.version, key)
        return workshop.folder(f"compile {app}", app, own, (), compile_app, means=Means.CORES)
    requirements, python = stage.requirements, workshop.catalogue.debian.python

    def install(out: Path, _: Inputs, step: Step) -> None:
        step.note(f"pip install -r {requirements}")
        install_packages(
            ["-r", requirements],
            out / "out",
            cache=workshop.cache.root,
            timeout=workshop.timeouts.image_build,
            python=python,
            cwd=folder,
        )
        (out / "out").mkdir(exist_ok=True)

    own = key_of("python 1", python, (folder / requirements).read_bytes())
    return workshop.folder(f"python packages of {app}", app, own, (), install)
