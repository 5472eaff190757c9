"""The world of these runs, and a cluster that stands in it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshproof.settings import load_settings
from trials.world import World

_ROOM = 10 << 30
"""Bytes for an engine, its images and a cluster, beside what was built before."""
_BUILT = ("artifacts", "downloads")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """What was built before is copied; images are made of it anew, which takes some minutes."""
    folder = tmp_path_factory.mktemp("world")
    before = [path for name in _BUILT if (path := load_settings().cache / name).is_dir()]
    size = sum(file.lstat().st_size for path in before for file in path.rglob("*"))
    disk = _mounted(folder, size + _ROOM)
    world = World(folder, (disk or folder) / "cache", disk)
    try:
        world.cache.mkdir()
        for path in before:  # the root of a file system is among it, devices and all
            subprocess.run(["cp", "--archive", str(path), str(world.cache)], check=True)
        yield world
        world.down().passes(within=120)
    finally:
        if disk is not None:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)
        for left in (folder / "disk.img", folder / "cache"):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


def _mounted(folder: Path, size: int) -> Path | None:
    """A disk of so many bytes, in a file; None where there can be none."""
    image, disk = folder / "disk.img", folder / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    try:
        for command in (["mkfs.ext4", "-q", "-m", "0", str(image)], ["mount", "-o", "loop", str(image), str(disk)]):
            subprocess.run(command, capture_output=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return disk


@pytest.fixture
def standing(world: World) -> World:
    """A world in which a cluster stands, well and kept."""
    world.suites("test_routing.py").passes(within=1800)
    return world
