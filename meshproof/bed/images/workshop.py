"""Products that others are made of: compiled parts, Debian layers, wheels, images in the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from meshproof.bed.images.cache import Cache, key_of
from meshproof.bed.images.catalogue import Catalogue, Part
from meshproof.bed.images.container import Context, EngineImages
from meshproof.bed.images.debian import DebianRoots, root_key
from meshproof.bed.images.goparts import ModuleFiles, compile_part, part_key
from meshproof.bed.images.plan import Made, Means, Plan, Product
from meshproof.bed.images.pypi import install_packages
from meshproof.bed.images.toolchain import Toolchain
from meshproof.timeline import Step
from meshproof.timeouts import Timeouts

__all__ = ["Inputs", "Workshop", "compiled", "folder_of"]

Inputs = Mapping[str, Made]


def folder_of(made: Made) -> Path:
    """A product that is a folder of the cache."""
    assert isinstance(made, Path)
    return made


def compiled(part: Part, toolchain: Toolchain, cache: Cache, *, timeout: float) -> Product:
    """A part's programs as a folder of the cache. Needs no engine."""
    key = part_key(part, toolchain)

    def make(_: Inputs, step: Step) -> Made:
        with cache.building(part.name, key) as out:
            compile_part(part, toolchain, out, timeout=timeout, note=step.note)
        return cache.path(part.name, key)

    return Product(f"compile {part.name}", (), lambda: cache.find(part.name, key), make, Means.CORES)


@dataclass
class Workshop:
    """Adds products to one plan. Every method returns the name of the product that it added, and knows its key."""

    catalogue: Catalogue
    toolchain: Toolchain
    modules: ModuleFiles
    cache: Cache
    engine: EngineImages
    timeouts: Timeouts
    plan: Plan = field(default_factory=Plan)
    keys: dict[str, str] = field(default_factory=dict)
    image_names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._debian = DebianRoots(self.catalogue.debian, self.cache, timeout=self.timeouts.image_build)

    def check(self, products: Iterable[Product]) -> None:
        """Raise UsageError when this machine lacks what it takes to make them, before any of it is begun."""
        if any(product.means is Means.APT for product in products):
            self._debian.check()

    def add(
        self,
        title: str,
        key: str,
        after: Sequence[str],
        find: Callable[[], Made | None],
        make: Callable[[Inputs, Step], Made],
        *,
        means: Means | None = None,
    ) -> str:
        """Any product. Titles are unique: the same title stands for the same key."""
        assert self.keys.get(title, key) == key, title
        self.keys[title] = key
        return self.plan.add(Product(title, tuple(after), find, make, means))

    def folder(
        self,
        title: str,
        artifact: str,
        key: str,
        after: Sequence[str],
        write: Callable[[Path, Inputs, Step], None],
        *,
        means: Means | None = None,
    ) -> str:
        """A folder of the cache that `write` fills."""

        def make(inputs: Inputs, step: Step) -> Made:
            with self.cache.building(artifact, key) as out:
                write(out, inputs, step)
            return self.cache.path(artifact, key)

        return self.add(title, key, after, lambda: self.cache.find(artifact, key), make, means=means)

    def image(
        self, title: str, image: str, after: Sequence[str], recipe: object, context: Callable[[Inputs], Context]
    ) -> str:
        """An image that the engine builds from `context`; its key is that of the recipe and of all inputs."""
        key = key_of("image 1", recipe, [self.keys[name] for name in after])

        def make(inputs: Inputs, step: Step) -> Made:
            return self.engine.build(image, key, context(inputs), step.note)

        return self.engine_image(title, image, key, after, make)

    def engine_image(
        self, title: str, image: str, key: str, after: Sequence[str], make: Callable[[Inputs, Step], Made]
    ) -> str:
        """An image in the engine that `make` makes."""
        self.image_names.add(self.engine.name(image, key))
        return self.add(title, key, after, lambda: self.engine.find(image, key), make, means=Means.ENGINE)

    def part(self, name: str) -> str:
        """A part's programs, compiled."""
        part = self.catalogue.part(name)
        product = compiled(part, self.toolchain, self.cache, timeout=self.timeouts.compile)
        self.keys[product.name] = part_key(part, self.toolchain)
        return self.plan.add(product)

    def wheel(self, requirement: str) -> str:
        """One Python package, without what it requires."""

        def write(out: Path, _: Inputs, step: Step) -> None:
            step.note(f"pip install {requirement}")
            words = ["--no-deps", requirement]
            install_packages(words, out, cache=self.cache.root, timeout=self.timeouts.image_build)

        return self.folder(f"wheel {requirement}", "wheel", key_of("wheel 1", requirement), (), write)

    def base(self, layers: Sequence[Sequence[str]]) -> str:
        """The Debian root with layers of packages as an image; images with the same packages share the layers."""
        below = ""
        for number, folder in enumerate(self._debian_layers(layers)):
            after = (folder, below) if below else (folder,)

            def context(inputs: Inputs, folder: str = folder, below: str = below) -> Context:
                start = inputs[below] if below else "scratch"
                made = Context(f'FROM {start}\nADD layer.tar /\nCMD ["/bin/sh"]\n')
                made.add("layer.tar", folder_of(inputs[folder]) / "layer.tar")
                return made

            below = self.image(f"image of {folder}", "packages" if number else "debian", after, "base", context)
        return below

    def pulled(self, reference: str) -> str:
        """An image from its registry."""

        def make(_: Inputs, step: Step) -> Made:
            return self.engine.pull(reference, step.note)

        def find() -> Made | None:
            return reference if self.engine.has(reference) else None

        return self.add(f"pull {reference}", key_of("pull", reference), (), find, make)

    def _debian_layers(self, layers: Sequence[Sequence[str]]) -> list[str]:
        def write_root(out: Path, _: Inputs, step: Step) -> None:
            self._debian.make_root(out, step.note)

        names = [self.folder("debian root", "debian", root_key(self.catalogue.debian), (), write_root, means=Means.APT)]
        for number, packages in enumerate(layers, start=1):
            key = root_key(self.catalogue.debian, layers[:number])
            below = tuple(names)

            def write(
                out: Path,
                inputs: Inputs,
                step: Step,
                packages: Sequence[str] = packages,
                below: Sequence[str] = below,
            ) -> None:
                self._debian.make_layer([folder_of(inputs[name]) for name in below], packages, out, step.note)

            title = f"debian with {', '.join(packages[:3])}{' ...' if packages[3:] else ''}"
            if self.keys.get(title, key) != key:
                title = f"{title} {key[:6]}"
            names.append(self.folder(title, "packages", key, below, write, means=Means.APT))
        return names
