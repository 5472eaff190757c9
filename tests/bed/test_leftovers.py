"""Only what belongs to a dead engine's folders is found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from meshproof.bed import leftovers


def test_mounts_below_a_folder_come_deepest_first(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "22 1 254:0 / /data rw - ext4 /dev/vda rw\n"
        "23 22 254:0 / /data/engine rw - ext4 /dev/vda rw\n"
        "24 23 0:50 / /data/engine/overlay2/x/merged rw - overlay overlay rw\n"
        "25 22 0:51 / /data/engineering rw - tmpfs tmpfs rw\n"
    )
    found = leftovers.mounts_below([Path("/data/engine")], table)
    assert found == [Path("/data/engine/overlay2/x/merged"), Path("/data/engine")]


def test_processes_are_known_by_program_and_folder(tmp_path: Path) -> None:
    daemon = tmp_path / "containerd"
    daemon.symlink_to(sys.executable)
    script = tmp_path / "wait.py"
    script.write_text("input()")
    mine = subprocess.Popen([daemon, script, "--root", tmp_path / "engine"], stdin=subprocess.PIPE)
    editor = subprocess.Popen([sys.executable, script, tmp_path / "engine"], stdin=subprocess.PIPE)
    try:
        found = {process.pid for process in leftovers.processes_of([tmp_path / "engine"], [])}
        assert mine.pid in found
        assert editor.pid not in found
    finally:
        mine.communicate(b"\n")
        editor.communicate(b"\n")


def test_clear_ends_the_processes(tmp_path: Path) -> None:
    daemon = tmp_path / "dockerd"
    daemon.symlink_to(sys.executable)
    process = subprocess.Popen([daemon, "-c", "input()", tmp_path / "engine"], stdin=subprocess.PIPE)
    assert leftovers.clear([tmp_path / "engine"], []) == 1
    process.communicate()
    assert not psutil.pid_exists(process.pid)


def test_containers_are_read_from_the_store(tmp_path: Path) -> None:
    (tmp_path / "containers" / "abc").mkdir(parents=True)
    assert leftovers.container_ids(tmp_path) == {"abc"}
    assert leftovers.container_ids(tmp_path / "none") == frozenset()
