"""A network namespace without uplink: what runs in it reaches nothing outside, and nothing outside reaches it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meshproof.programs import run

__all__ = ["create", "delete", "enter", "entered", "is_current", "path_of"]

_CLONE_NEWNET = 0x40000000
_SECONDS = 20.0


def path_of(name: str) -> Path:
    """Where `ip netns` keeps the namespace."""
    return Path("/run/netns") / name


def create(name: str) -> Path:
    """Make the namespace with nothing but a loopback device; one that is there already is kept."""
    if not path_of(name).exists():
        run(["ip", "netns", "add", name], timeout=_SECONDS)
    run(["ip", "-n", name, "link", "set", "lo", "up"], timeout=_SECONDS)
    return path_of(name)


def delete(name: str) -> None:
    """Remove the namespace with every device in it."""
    if path_of(name).exists():
        run(["ip", "netns", "delete", name], timeout=_SECONDS)


def is_current(path: Path) -> bool:
    """Whether this thread is in that namespace."""
    try:
        return path.stat().st_ino == Path("/proc/thread-self/ns/net").stat().st_ino
    except FileNotFoundError:
        return False


def enter(path: Path) -> None:
    """Move this thread, and with it every thread and process that it starts from now on, into the namespace."""
    with path.open("rb") as namespace:
        _setns(namespace.fileno())


@contextmanager
def entered(path: Path | None) -> Iterator[None]:
    """Be in the namespace for the length of the block; None means to stay where one is."""
    if path is None or is_current(path):
        yield
        return
    with Path("/proc/thread-self/ns/net").open("rb") as before:
        enter(path)
        try:
            yield
        finally:
            _setns(before.fileno())


def _setns(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns came with Python 3.12
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")
