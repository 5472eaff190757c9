"""A disk that is full: nothing is begun on it; a run that it fills under is INVALID; freed, all is well again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trials.world import World


@contextmanager
def full(world: World) -> Iterator[None]:
    """Not a byte is free on the world's disk for the length of the block."""
    if world.disk is None:
        pytest.skip("no disk can be made here: that needs root and loop devices")
    filler = world.disk / "filler"
    try:
        _fill(filler)
        yield
    finally:
        filler.unlink(missing_ok=True)


def _fill(filler: Path) -> None:
    with filler.open("wb") as file:
        while free := (found := os.statvfs(filler)).f_bavail * found.f_frsize:
            try:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), free)
            except OSError:
                return


def test_nothing_is_begun(standing: World) -> None:
    """Too little room is told at once, with what to do, and the kept cluster is not touched."""
    with full(standing):
        refused = standing.suites("test_routing.py")
        assert refused.ends(within=120) == 2
    assert "there is not enough disk space" in refused.told
    standing.suites("test_routing.py").passes(within=600)


def test_while_a_suite_runs(standing: World) -> None:
    """What fails then is not held against the mesh."""
    hit = standing.suites("test_routing.py", "test_services.py")
    hit.tells(r"^suites/test_services.py", within=120)
    with full(standing):
        assert hit.ends(within=900) == 1, hit.told
    verdicts = standing.verdicts()
    assert verdicts["INVALID"] > 0
    assert verdicts["VIOLATE"] == 0, hit.told
    standing.suites("test_routing.py", "test_services.py").passes(within=900)
