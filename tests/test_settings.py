"""Options win over the environment, which wins over meshproof.toml, which wins over defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshproof.errors import UsageError
from meshproof.settings import ImageChoice, load_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_order_of_sources(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().cluster_name == "cluster-istio"
    (folder / "meshproof.toml").write_text('cluster_name = "from-file"\nworkers = 2\n')
    assert load_settings().cluster_name == "from-file"
    monkeypatch.setenv("MESHPROOF_CLUSTER_NAME", "from-environment")
    assert load_settings().cluster_name == "from-environment"
    settings = load_settings(cluster_name="from-option", images=None)
    assert (settings.cluster_name, settings.workers, settings.images) == ("from-option", 2, ImageChoice.AUTO)


def test_timeouts_can_be_set_one_by_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "meshproof.toml").write_text("[timeouts]\nrollout = 300\n")
    monkeypatch.setenv("MESHPROOF_TIMEOUTS__REQUEST", "3")
    timeouts = load_settings().timeouts
    assert (timeouts.rollout, timeouts.request) == (300, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("workers = ", "meshproof.toml cannot be read"),
        ("colour = 1", "setting colour"),
        ("[timeouts]\nrollout = -1", "setting timeouts.rollout"),
        ("[timeouts]\nlunch = 1", "setting timeouts.lunch"),
        ('workers = 1\nkubeconfig = "x"', "leave out --workers"),
    ],
)
def test_bad_file_is_told_by_field(folder: Path, content: str, message: str) -> None:
    (folder / "meshproof.toml").write_text(content)
    with pytest.raises(UsageError, match=message):
        load_settings()


def test_version_may_be_written_with_its_letter() -> None:
    assert load_settings(metallb="v0.13.12").metallb == "0.13.12"
