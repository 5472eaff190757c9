"""What an engine that died in mid-air leaves on the machine, found by its folders and ended.

Only what belongs to the given folders is touched: processes whose command line names them, processes in the control
groups of their containers, and mounts below them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["clear", "container_ids", "kill", "mounts_below", "processes_of"]

_SECONDS_TO_END = 10.0


def container_ids(data_root: Path) -> frozenset[str]:
    """The containers that the engine's store knows of, running or not."""
    try:
        return frozenset(entry.name for entry in (data_root / "containers").iterdir())
    except FileNotFoundError:
        return frozenset()


def processes_of(folders: Sequence[Path], containers: Iterable[str]) -> list[psutil.Process]:
    """Processes that name one of the folders on their command line or live in one of the containers' control groups."""
    marks = tuple(str(folder) for folder in folders)
    groups = tuple(containers)
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        if process.pid in own:
            continue
        try:
            words = process.cmdline()
            belongs = _is_engine_program(words) and any(mark in word for word in words for mark in marks)
            if not belongs and groups:
                text = Path(f"/proc/{process.pid}/cgroup").read_text()
                belongs = any(group in text for group in groups)
        except (psutil.Error, OSError):
            continue  # it has just ended
        if belongs:
            found.append(process)
    return found


def mounts_below(folders: Sequence[Path], mountinfo: Path = Path("/proc/self/mountinfo")) -> list[Path]:
    """Mount points at or below the folders, the deepest and latest first."""
    points = []
    for line in mountinfo.read_text().splitlines():
        point = Path(line.split()[4].replace("\\040", " "))
        if any(point == folder or folder in point.parents for folder in folders):
            points.append(point)
    return list(reversed(points))


def clear(folders: Sequence[Path], containers: Iterable[str]) -> int:
    """End those processes and undo those mounts. Returns how many there were."""
    groups = tuple(containers)
    processes = processes_of(folders, groups)
    kill(kill(processes))
    mounts = mounts_below(folders)
    for mount in mounts:
        subprocess.run(["umount", "--lazy", str(mount)], check=False, capture_output=True)
    _remove_control_groups(groups)
    return len(processes) + len(mounts)


def _is_engine_program(words: Sequence[str]) -> bool:
    """A shell or an editor that merely mentions the folder is somebody else's business."""
    programs = ("dockerd", "containerd", "containerd-shim", "containerd-shim-runc-v2", "docker-proxy", "runc")
    return any(Path(word).name in programs for word in words[:4])


def kill(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """End them at once. Returns those that are there after a while all the same."""
    found = list(processes)
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _, alive = psutil.wait_procs(found, timeout=_SECONDS_TO_END)
    return list(alive)


def _remove_control_groups(containers: Iterable[str]) -> None:
    root = Path("/sys/fs/cgroup")
    for container in containers:
        for top in [*root.glob(f"docker/{container}"), *root.glob(f"*/docker/{container}")]:
            for folder, _, _ in os.walk(top, topdown=False):
                try:
                    Path(folder).rmdir()
                except OSError:
                    continue  # still in use by a controller; the kernel lets go of it later
