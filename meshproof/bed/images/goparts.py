"""Programs from pinned Go modules, and the files that those modules ship."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from meshproof.bed.images.cache import files_key, folder_files, key_of
from meshproof.bed.images.catalogue import Catalogue, Part
from meshproof.bed.images.toolchain import Toolchain
from meshproof.errors import MeshproofError
from meshproof.programs import Completed

__all__ = ["ModuleFiles", "ModuleRefused", "Refusal", "compile_package", "compile_part", "part_key", "refusal"]

_FLAGS = ("-trimpath", "-buildvcs=false")
_STRIPPED = "-s -w"
_REFUSED = re.compile(
    r"(?P<module>[\w.-]+\.[a-z]+(?:/[\w.~-]+)+)@(?P<version>v[\w.+-]+): (?!missing go.sum)(?P<reason>.*\S)"
)
_UNREACHABLE = re.compile(r"dial tcp|no such host|i/o timeout|connection refused|network is unreachable")
_REFUSED_TOOLCHAIN = re.compile(r"download go(?P<version>[\d.]+)[^:]*: (?P<reason>.*\S)")


@dataclass(frozen=True)
class Refusal:
    """A module that could not be had, and why in the go command's words."""

    module: str
    version: str
    reason: str


class ModuleRefused(MeshproofError):
    """A pinned module is not served (any more)."""

    def __init__(self, refusal: Refusal, part: str, remedy: str) -> None:
        self.refusal = refusal
        wanted = f"the Go module {refusal.module} {refusal.version}, which {part} needs,"
        if _UNREACHABLE.search(refusal.reason):
            super().__init__(
                f"{wanted} cannot be fetched: its registry is out of reach",
                seen=refusal.reason,
                remedy="see that this machine reaches the Go module registry (GOPROXY), then start again",
            )
        else:
            super().__init__(f"{wanted} is not served", seen=refusal.reason, remedy=remedy)


def refusal(stderr: str) -> Refusal | None:
    """What the go command's errors say about a module that it could not download; None when they say no such thing."""
    for line in stderr.splitlines():
        if line.startswith("go: downloading "):
            continue
        if (found := _REFUSED.search(line)) is not None:
            return Refusal(found["module"], found["version"], found["reason"])
        if (found := _REFUSED_TOOLCHAIN.search(line)) is not None:
            return Refusal("golang.org/toolchain", f"go{found['version']}", found["reason"])
    return None


def part_key(part: Part, toolchain: Toolchain) -> str:
    """A key of everything that the part's programs depend on: not of their tests."""
    files = [path for path in folder_files(part.folder) if not _is_test(path)]
    return key_of("go part 1", toolchain.version, _flags(part), files_key(part.folder, files))


def compile_part(part: Part, toolchain: Toolchain, out: Path, *, timeout: float, note: Callable[[str], None]) -> None:
    """Compile all programs of the part into `out`.

    Raises ModuleRefused when a module cannot be had, MeshproofError with the compiler's words otherwise.
    """
    what = "tool" if part.module else "./..."
    _build(toolchain, part.name, part.folder, [*_flags(part), "-o", f"{out}/", what], timeout, note)
    for program in part.programs:
        if not (out / program).is_file():
            raise MeshproofError(
                f"{part.folder}/go.mod does not build {program}",
                seen=", ".join(sorted(path.name for path in out.iterdir())),
                remedy="add it to the tool directives there",
            )


def compile_package(
    name: str,
    folder: Path,
    package: str,
    toolchain: Toolchain,
    out: Path,
    *,
    origin: Path,
    timeout: float,
    note: Callable[[str], None],
) -> None:
    """Compile the program that is a package of the module in `folder` to the file `out`.

    Errors as with compile_part; they send to `origin`, which `folder` is a copy of.
    """
    words = [*_FLAGS, "-ldflags", _STRIPPED, "-o", str(out), package]
    _build(toolchain, name, folder, words, timeout, note, origin=origin)


def _is_test(path: Path) -> bool:
    return path.name.endswith("_test.go") or "testdata" in path.parts


def _flags(part: Part) -> list[str]:
    link = " ".join([_STRIPPED, *(f"-X {value}" for value in part.set)])
    return [*_FLAGS, "-tags", ",".join(part.tags), "-ldflags", link]


def _build(
    toolchain: Toolchain,
    name: str,
    folder: Path,
    words: list[str],
    timeout: float,
    note: Callable[[str], None],
    *,
    origin: Path | None = None,
) -> None:
    packages = 0

    def progress(line: str) -> None:
        nonlocal packages
        if line.startswith("go: downloading "):
            note(line.removeprefix("go: "))
        elif line and " " not in line:
            packages += 1
            note(f"{packages} packages, {line}")

    note("go build")
    ended = toolchain.run("build", "-v", *words, cwd=folder, timeout=timeout, on_line=progress, check=False)
    if ended.returncode != 0:
        raise _explained(ended, name, origin or folder)
    note(f"{packages} packages compiled")


def _explained(ended: Completed, name: str, folder: Path) -> MeshproofError:
    refused = refusal(ended.stderr)
    if refused is not None:
        return ModuleRefused(refused, name, _neighbour(refused, folder / "go.mod"))
    said = [line for line in ended.stderr.splitlines() if " " in line and not line.startswith("go: downloading ")]
    return MeshproofError(f"{name} does not compile", seen="\n        ".join(said[-15:]), remedy=f"correct {folder}")


class ModuleFiles:
    """Files that the parts' modules ship, read where the go command keeps modules."""

    def __init__(self, catalogue: Catalogue, toolchain: Toolchain, *, timeout: float) -> None:
        self._catalogue = catalogue
        self._toolchain = toolchain
        self._timeout = timeout
        self._folders: dict[str, Path] = {}
        self._lock = Lock()

    def folder(self, part: str) -> Path:
        """The folder of the part's module, downloaded when it is not there.

        Raises ModuleRefused when it cannot be had.
        """
        with self._lock:
            if part not in self._folders:
                self._folders[part] = self._download(part)
            return self._folders[part]

    def file(self, part: str, path: str) -> Path:
        """A file of the part's module; raises MeshproofError when the module ships no such file."""
        found = self.folder(part) / path
        if not found.exists():
            module, version = self._catalogue.module(part)
            raise MeshproofError(
                f"the Go module {module} v{version} ships no {path}",
                seen=str(self.folder(part)),
                remedy=f"correct the path, or choose another version of {part}",
            )
        return found

    def _download(self, part: str) -> Path:
        module, version = self._catalogue.module(part)
        folder = self._catalogue.root / "images"
        ended = self._toolchain.run(
            "mod", "download", "-json", f"{module}@v{version}", cwd=folder, timeout=self._timeout, check=False
        )
        try:
            answer = json.loads(ended.stdout)
        except ValueError:
            answer = {"Error": ended.stderr.strip()}
        if "Dir" in answer:
            return Path(answer["Dir"])
        refused = Refusal(module, f"v{version}", str(answer.get("Error", "no answer")))
        option = self._catalogue.option(part)
        remedy = f"choose another version with {option}" if option else _neighbour(refused, folder / part / "go.mod")
        raise ModuleRefused(refused, part, remedy)


def _neighbour(refused: Refusal, go_mod: Path) -> str:
    return f"choose a neighbouring version in {go_mod} (go get {refused.module}@VERSION && go mod tidy)"
