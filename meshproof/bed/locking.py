"""Locks between runs on one host; the kernel lets go of them when their holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from meshproof.errors import UsageError

__all__ = ["host_lock", "sole_use"]


@contextmanager
def host_lock(path: Path) -> Iterator[None]:
    """Hold the lock for the length of the block, waiting for whoever holds it now."""
    with _opened(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def sole_use(path: Path, what: str) -> Iterator[None]:
    """Hold the lock for the length of the block, or say that somebody else has it.

    Raises UsageError naming `what` and the holder's process id.
    """
    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise UsageError(
                f"another run is using {what} right now",
                seen=f"process {file.read().strip() or '?'}",
                remedy="wait for it, or choose another name with --cluster-name",
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _opened(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+")
    except OSError as error:
        raise UsageError(
            f"the folder for the state of runs cannot be used: {error.filename or path}",
            seen=error.strerror,
            remedy="make it writable, or name another one with MESHPROOF_STATE",
        ) from error
