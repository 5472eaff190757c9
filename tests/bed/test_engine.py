"""Somebody's Docker is used as it is; where none can be had, the two ways out are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshproof.bed import engine, machine
from meshproof.errors import UsageError
from meshproof.settings import Settings, load_settings
from meshproof.timeline import Timeline


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(state=tmp_path / "state", cache=tmp_path / "cache")


def obtained(settings: Settings) -> engine.Engine:
    with Timeline().step("engine", group="bed") as step:
        return engine.obtain(settings, step)


@pytest.mark.parametrize("lacking", ["root", "apt", "linux"])
def test_without_docker_and_without_the_means_both_ways_out_are_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    monkeypatch.setattr(engine, "find_running", lambda settings: None)
    monkeypatch.setattr(machine, "is_root", lambda: lacking != "root")
    kin = frozenset() if lacking == "apt" else frozenset({"debian"})
    monkeypatch.setattr(machine, "distribution", lambda: machine.Distribution("Some Linux", kin))
    if lacking == "linux":
        monkeypatch.setattr(engine.sys, "platform", "darwin")
    with pytest.raises(UsageError, match=r"start Docker .* or run as root on Debian or Ubuntu Linux"):
        obtained(settings)
    assert not settings.state.exists() and not settings.cache.exists()


def test_a_docker_that_answers_is_used_as_it_is(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    running = engine.RunningEngine("unix:///somebody.sock", None)
    monkeypatch.setattr(engine, "find_running", lambda settings: running)
    monkeypatch.setattr(engine.OwnEngine, "start", lambda *_, **__: pytest.fail("a second daemon was started"))
    assert obtained(settings) is running


def test_each_state_folder_has_an_engine_of_its_own(tmp_path: Path) -> None:
    one = engine.OwnEngine.of(load_settings(state=tmp_path / "one", cache=tmp_path / "c"))
    other = engine.OwnEngine.of(load_settings(state=tmp_path / "two", cache=tmp_path / "c"))
    assert one.name != other.name and one.host != other.host
    assert not one.answers()
