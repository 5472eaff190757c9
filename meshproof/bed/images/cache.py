"""The cache of built things: a folder each, named by a key of everything that went into it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from meshproof.bed.locking import host_lock

__all__ = ["KEPT_SECONDS", "Cache", "files_key", "folder_files", "key_of"]

KEPT_SECONDS = 14 * 24 * 3600.0
"""How long what was built for other versions is kept after its last use."""


def key_of(*inputs: object) -> str:
    """A short name for these inputs: the same inputs, in this order, give the same key."""
    digest = hashlib.sha256()
    for value in inputs:
        words = repr(value).encode()
        digest.update(len(words).to_bytes(8, "big") + words)
    return digest.hexdigest()[:20]


def folder_files(folder: Path) -> list[Path]:
    """All files below a folder, by their paths in it; caches of tools are left out."""
    files = [path for path in sorted(folder.rglob("*")) if "__pycache__" not in path.parts and path.is_file()]
    return [path.relative_to(folder) for path in files]


def files_key(folder: Path, files: Iterable[Path]) -> str:
    """A key of the names, contents and execute bits of these files, given by their paths in the folder."""
    entries = []
    for name in files:
        path = folder / name
        executable = bool(path.stat().st_mode & 0o100)
        entries.append((str(name), executable, hashlib.sha256(path.read_bytes()).hexdigest()))
    return key_of(entries)


class Cache:
    """Folders under one root. Use it only while holding `lock()`: one run builds at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._artifacts = root / "artifacts"
        self._work = root / "work"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other runs out, and clear away what a killed one left."""
        with host_lock(self.root / "images.lock"):
            self._clear_work()
            yield

    def find(self, name: str, key: str) -> Path | None:
        """The folder of a thing that was built before."""
        path = self.path(name, key)
        if not path.is_dir():
            return None
        os.utime(path)
        return path

    def path(self, name: str, key: str) -> Path:
        """Where a thing is, or would be."""
        return self._artifacts / f"{name}-{key}"

    @contextmanager
    def building(self, name: str, key: str) -> Iterator[Path]:
        """An empty folder that becomes the thing's when the block ends well, and goes away when it does not."""
        with self.scratch(name) as folder:
            yield folder
            self._artifacts.mkdir(parents=True, exist_ok=True)
            folder.rename(self.path(name, key))
            self._forget_older(name)

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """An empty folder for the length of the block."""
        folder = self._work / f"{name}-{uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def shared(self, name: str) -> Path:
        """A folder that lives on between builds, for what programs keep of their downloads."""
        folder = self.root / "downloads" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _clear_work(self) -> None:
        shutil.rmtree(self._work, ignore_errors=True)

    def _forget_older(self, name: str) -> None:
        """Remove the thing's other builds that have not been asked for in a while."""
        for other in self._artifacts.glob(f"{name}-*"):
            is_same = re.fullmatch(r"[0-9a-f]{20}", other.name.removeprefix(f"{name}-"))
            if is_same and time.time() - other.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(other, ignore_errors=True)
