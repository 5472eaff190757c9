"""Locks between runs on one host; the kernel lets go of them when their holder dies."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["host_lock"]


@contextmanager
def host_lock(path: Path) -> Iterator[None]:
    """Hold the lock for the length of the block, waiting for whoever holds it now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
