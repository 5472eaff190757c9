"""What was built is found again by key; what was not completed leaves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from meshproof.bed.images.cache import KEPT_SECONDS, Cache, files_key, folder_files, key_of


def build(cache: Cache, name: str, key: str) -> None:
    with cache.building(name, key) as folder:
        (folder / "program").write_text("x")


def test_built_folder_is_found_by_its_key(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    build(cache, "kind", "k1")
    found = cache.find("kind", "k1")
    assert found is not None
    assert (found / "program").read_text() == "x"
    assert cache.find("kind", "k2") is None


def test_failed_build_leaves_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with pytest.raises(RuntimeError), cache.building("kind", "k1") as folder:
        (folder / "half").write_text("x")
        raise RuntimeError
    assert cache.find("kind", "k1") is None
    assert not folder.exists()


def test_lock_clears_what_a_killed_run_left(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    left = tmp_path / "work" / "kind-1" / "half"
    left.mkdir(parents=True)
    with cache.lock():
        assert not left.exists()


def test_builds_that_nobody_asked_for_in_a_while_go(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    old, used, other = key_of("old"), key_of("used"), key_of("other")
    for name, key in (("kind", old), ("kind", used), ("kind-like", other)):
        build(cache, name, key)
        folder = cache.find(name, key)
        assert folder is not None
        past = folder.stat().st_mtime - KEPT_SECONDS - 1
        os.utime(folder, (past, past))
    cache.find("kind", used)
    build(cache, "kind", key_of("new"))
    assert not (tmp_path / "artifacts" / f"kind-{old}").exists()
    assert cache.find("kind", used)
    assert cache.find("kind-like", other)


def test_key_is_stable_and_tells_inputs_apart() -> None:
    assert key_of("a", ["b", 1]) == key_of("a", ["b", 1])
    assert len({key_of("a", "b"), key_of("b", "a"), key_of("ab"), key_of(["a", "b"]), key_of("a", "b", "")}) == 5


def folder_key(folder: Path) -> str:
    return files_key(folder, folder_files(folder))


@pytest.mark.parametrize("change", ["content", "name", "mode", "more"])
def test_folder_key_sees_every_change(tmp_path: Path, change: str) -> None:
    file = tmp_path / "main.go"
    file.write_text("package main")
    before = folder_key(tmp_path)
    if change == "content":
        file.write_text("package other")
    elif change == "name":
        file.rename(tmp_path / "other.go")
    elif change == "mode":
        file.chmod(0o755)
    else:
        (tmp_path / "go.sum").write_text("")
    assert folder_key(tmp_path) != before


def test_folder_key_does_not_see_times_and_caches(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text("x = 1")
    before = folder_key(tmp_path)
    os.utime(file, (1, 1))
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "app.pyc").write_text("x")
    assert folder_key(tmp_path) == before
