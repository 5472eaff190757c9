"""What a machine lacks is told before anything is begun."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from meshproof.bed import machine
from meshproof.errors import UsageError

Usage = namedtuple("Usage", "total used free")


def test_too_little_disk_is_an_error_with_both_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 3 << 30))
    with pytest.raises(UsageError, match=r"3\.0 GiB free at .*, 4 are needed"):
        machine.demand_disk(tmp_path / "not" / "there" / "yet", 4)
    machine.demand_disk(tmp_path, 2.5)


def test_missing_programs_are_named() -> None:
    assert machine.missing_programs(["sh", "no-such-program"]) == ["no-such-program"]


def test_missing_packages_are_refused_where_they_cannot_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(machine.PROGRAM_PACKAGES, "no-such-program", "no-such-package")
    monkeypatch.setattr(machine, "is_root", lambda: False)
    with pytest.raises(UsageError, match="no-such-package"):
        machine.install_missing(["no-such-program"], timeout=1)


def test_nothing_is_installed_when_nothing_is_missing() -> None:
    assert machine.install_missing(["sh"], timeout=1) == []


def test_policy_that_keeps_services_from_starting_is_taken_away_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(machine._no_services, "policy", policy)
    with machine._no_services():
        assert policy.read_text().endswith("exit 101\n")
        assert policy.stat().st_mode & 0o100
    assert not policy.exists()
    policy.write_text("somebody's own")
    with machine._no_services():
        pass
    assert policy.read_text() == "somebody's own"
