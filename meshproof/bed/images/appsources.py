"""The folder that the apps' Dockerfiles copy from: which files a COPY takes, a key of them, where they come to lie."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from docker.utils import exclude_paths

from meshproof.bed.images.cache import files_key
from meshproof.errors import UsageError

__all__ = ["AppSources", "Copy"]


@dataclass(frozen=True)
class Copy:
    """A COPY of a build stage: paths in the folder of the apps, and the target, relative to the stage's WORKDIR."""

    sources: tuple[str, ...]
    target: str


class AppSources:
    """The files in a folder of apps, without those that its .dockerignore leaves out of builds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = folder / ".dockerignore"
        lines = [line.strip() for line in ignored.read_text().splitlines()] if ignored.is_file() else []
        patterns = [line for line in lines if line and not line.startswith("#")]
        paths = [Path(path) for path in exclude_paths(str(folder), patterns)]
        self._files = sorted(path for path in paths if (folder / path).is_file())

    def files(self, source: str) -> list[Path]:
        """The file of that name, or all files below the folder of that name; relative paths.

        Raises UsageError when there are none.
        """
        found = [path for path in self._files if path.is_relative_to(source)]
        if not found:
            raise UsageError(f"there is no {self.folder / source} to copy", remedy="correct the COPY in the Dockerfile")
        return found

    def key(self, sources: Iterable[str]) -> str:
        """A key of the names, contents and execute bits of these files and folders."""
        return files_key(self.folder, sorted({path for source in sources for path in self.files(source)}))

    def lay_out(self, copies: Iterable[Copy], folder: Path) -> None:
        """Copy into `folder` as docker build does: of a folder the contents, a file under its name or a new one."""
        for copy in copies:
            target = folder / copy.target
            into = copy.target.endswith("/") or len(copy.sources) > 1
            for source in copy.sources:
                for path in self.files(source):
                    inside = path.relative_to(source)
                    if inside == Path() and (into or target.is_dir()):
                        inside = Path(path.name)
                    (target / inside).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(self.folder / path, target / inside)
