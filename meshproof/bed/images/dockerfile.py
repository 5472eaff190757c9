"""An app's Dockerfile, read so that it can be realised without pulling the images that it starts from.

Multi-stage files of a narrow shape are understood; the same file builds with plain `docker build` where a registry is
in reach. Build stages start from golang or python and end in one compiled program or one folder of packages; the final
stage starts from scratch or the Debian root. What they copy is named by its path in the folder of all apps.
"""

from __future__ import annotations

import io
import posixpath
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from dockerfile_parse.parser import DockerfileParser

from meshproof.bed.images.appsources import Copy
from meshproof.bed.images.catalogue import Debian
from meshproof.errors import UsageError

__all__ = ["AppRecipe", "Compiled", "PythonPackages", "read_dockerfile"]

_VERBATIM = {"ENV", "USER", "WORKDIR", "EXPOSE", "ENTRYPOINT", "CMD", "LABEL", "STOPSIGNAL"}
_APT = re.compile(
    r"apt-get update && apt-get install -y --no-install-recommends (?P<packages>[a-z0-9+. -]+?)"
    r"(?: && (?:rm -rf /var/lib/apt/lists/\*|apt-get clean))*"
)
_GO_BUILD = re.compile(r"(?:[A-Z]\w*=\S* )*go build (?:.* )?-o (?P<out>/\S+)(?: .*)? (?P<package>\.(?:/\w[\w.-]*)*)")
_PIP = re.compile(r"(?:python3? -m )?pip install --no-cache-dir --target (?P<out>/\S+) -r (?P<file>[\w./-]+)")


@dataclass(frozen=True)
class Compiled:
    """A stage that compiles one package of what it copies to a program at `path`."""

    stage: str
    path: str
    package: str
    copies: tuple[Copy, ...]


@dataclass(frozen=True)
class PythonPackages:
    """A stage that installs a requirements file into the folder `path`."""

    stage: str
    path: str
    requirements: str
    copies: tuple[Copy, ...]


@dataclass(frozen=True)
class AppRecipe:
    """What a Dockerfile asks for.

    `final` copies from apps/ (there are the files and folders `copied`) and stages/NAME/ (what a stage made).
    """

    stages: tuple[Compiled | PythonPackages, ...]
    on_debian: bool
    packages: tuple[tuple[str, ...], ...]
    final: tuple[str, ...]
    copied: tuple[str, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """Every file and folder that any stage copies."""
        return (*(source for stage in self.stages for copy in stage.copies for source in copy.sources), *self.copied)

    def dockerfile(self, base: str) -> str:
        """The file that realises the final stage on top of `base`."""
        return "\n".join([f"FROM {base}", *self.final, ""])


def read_dockerfile(path: Path, debian: Debian) -> AppRecipe:
    """What the Dockerfile asks for.

    Raises UsageError that names the file, the line and the instruction which does not fit the shape.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}", seen=error.strerror, remedy="add a Dockerfile") from error
    return _Reader(path, debian).read(text)


class _Reader:
    def __init__(self, path: Path, debian: Debian) -> None:
        self.path = path
        self.debian = debian
        self.stages: list[Compiled | PythonPackages] = []
        self.packages: list[tuple[str, ...]] = []
        self.final: list[str] = []
        self.copied: list[str] = []

    def read(self, text: bytes) -> AppRecipe:
        parser = DockerfileParser(fileobj=io.BytesIO(text))  # type: ignore[no-untyped-call]
        structure = [entry for entry in parser.structure if entry["instruction"] != "COMMENT"]
        starts = [number for number, entry in enumerate(structure) if entry["instruction"] == "FROM"]
        if not starts or starts[0] != 0:
            raise UsageError(f"{self.path} does not begin with FROM", remedy="begin with the base image")
        for number, start in enumerate(starts[:-1]):
            self._build_stage(structure[start : starts[number + 1]])
        on_debian = self._final_stage(structure[starts[-1] :])
        return AppRecipe(tuple(self.stages), on_debian, tuple(self.packages), tuple(self.final), tuple(self.copied))

    def _build_stage(self, entries: list[dict[str, object]]) -> None:
        start, *rest = entries
        found = re.fullmatch(r"(?P<image>\S+) AS (?P<name>\S+)", str(start["value"]), re.IGNORECASE)
        if found is None:
            raise self._unfit(start, "give the stage a name: FROM IMAGE AS NAME")
        kind = found["image"].removeprefix("docker.io/").removeprefix("library/").partition(":")
        result: Compiled | PythonPackages | None = None
        copies: list[Copy] = []
        for entry in rest:
            if entry["instruction"] == "COPY":
                copies.append(self._copy_into_stage(entry))
                continue
            if entry["instruction"] == "ENV" or (entry["instruction"] == "WORKDIR" and not copies):
                continue
            command = _one_line(entry)
            if entry["instruction"] != "RUN":
                raise self._unfit(entry, "use ENV, WORKDIR, then COPY and RUN in a build stage")
            if kind[0] == "golang" and command == "go mod download":
                continue
            if kind[0] == "golang" and (built := _GO_BUILD.fullmatch(command)):
                result = Compiled(found["name"], built["out"], built["package"], tuple(copies))
            elif kind[0] == "python" and (installed := _PIP.fullmatch(command)):
                result = PythonPackages(found["name"], installed["out"], installed["file"], tuple(copies))
            else:
                raise self._unfit(
                    entry,
                    "in a golang stage use `go build ... -o /out/NAME ./FOLDER`, in a python stage "
                    "`pip install --no-cache-dir --target /site -r requirements.txt`",
                )
        if kind[0] == "python" and not re.match(rf"{re.escape(self.debian.python)}\b", kind[2]):
            raise self._unfit(start, f"use python:{self.debian.python}, which is what the Debian root has")
        if result is None:
            raise self._unfit(start, "a build stage starts from golang or python and ends in one program or folder")
        self.stages.append(result)

    def _final_stage(self, entries: list[dict[str, object]]) -> bool:
        start, *rest = entries
        base = str(start["value"]).split()[0]
        own = self.debian.reference
        if base not in ("scratch", own, own.removeprefix("docker.io/"), own.removeprefix("docker.io/library/")):
            raise self._unfit(start, f"start the final stage from scratch or {own}")
        for entry in rest:
            if entry["instruction"] == "COPY":
                self.final.append(self._copy(entry))
            elif entry["instruction"] in _VERBATIM:
                self.final.append(f"{entry['instruction']} {entry['value']}")
            elif entry["instruction"] == "RUN" and base != "scratch" and (asked := _APT.fullmatch(_one_line(entry))):
                self.packages.append(tuple(asked["packages"].split()))
            else:
                raise self._unfit(
                    entry,
                    "in the final stage use COPY, ENV, USER, WORKDIR, EXPOSE, ENTRYPOINT, CMD and, on Debian, "
                    "`RUN apt-get update && apt-get install -y --no-install-recommends PACKAGES`",
                )
        return base != "scratch"

    def _copy(self, entry: dict[str, object]) -> str:
        flags, sources, target = self._copy_words(entry)
        stage = None
        kept = []
        for flag in flags:
            if flag.startswith("--from="):
                stage = flag.removeprefix("--from=")
                if stage not in {result.stage for result in self.stages}:
                    raise self._unfit(entry, "copy from a build stage of this file")
            elif flag.startswith("--chown="):
                kept.append(flag)
            else:
                raise self._unfit(entry, "use no flags but --from and --chown")
        if stage is None:
            sources = [self._in_apps(entry, source) for source in sources]
            self.copied += sources
        folder = f"stages/{stage}" if stage else "apps"
        return " ".join(["COPY", *kept, *(f"{folder}/{source.lstrip('/')}" for source in sources), target])

    def _copy_into_stage(self, entry: dict[str, object]) -> Copy:
        flags, sources, target = self._copy_words(entry)
        if flags or target.startswith("/") or ".." in target.split("/"):
            raise self._unfit(entry, "in a build stage copy without flags to a path below WORKDIR")
        return Copy(tuple(self._in_apps(entry, source) for source in sources), target)

    def _copy_words(self, entry: dict[str, object]) -> tuple[list[str], list[str], str]:
        """The flags, the sources and the target."""
        words = shlex.split(str(entry["value"]))
        flags = [word for word in words if word.startswith("--")]
        *sources, target = [word for word in words if not word.startswith("--")] or [""]
        if not sources:
            raise self._unfit(entry, "name what to copy and where to")
        return flags, sources, target

    def _in_apps(self, entry: dict[str, object], source: str) -> str:
        path = posixpath.normpath(source.lstrip("/"))
        if path.startswith("..") or re.search(r"[*?\[]", path):
            raise self._unfit(entry, "name files and folders in the folder of the apps, no patterns")
        return path

    def _unfit(self, entry: dict[str, object], remedy: str) -> UsageError:
        line = int(str(entry["startline"])) + 1
        return UsageError(
            f"{self.path}, line {line}: this cannot be built from source",
            seen=_one_line(entry, whole=True),
            remedy=remedy,
        )


def _one_line(entry: dict[str, object], *, whole: bool = False) -> str:
    words = " ".join(str(entry["value"]).split())
    return f"{entry['instruction']} {words}" if whole else words
