"""Suites that run inside of this process, on a mesh that is given to them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from meshproof import plugin
from meshproof.errors import MeshproofError
from meshproof.prove.inner import run_tests
from meshproof.report.results import Ending
from meshproof.verdict import Verdict

SUITE = """
def test_expected(mesh): assert False, "plaintext was answered"
def test_surprise(mesh): assert False, "the pod is gone"
def test_fine(mesh): pass
"""


@pytest.fixture
def suites(tmp_path: Path) -> Path:
    (tmp_path / "test_inner_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:pytest-kind-ng -p no:ddtrace\n")
    return tmp_path


def mesh(tmp_path: Path) -> Any:
    settings = SimpleNamespace(reports=tmp_path)
    undisturbed = SimpleNamespace(list=lambda *_, **__: [])
    return SimpleNamespace(settings=settings, reports=tmp_path, bed=SimpleNamespace(network=None), cluster=undisturbed)


def on_purpose(_node: str, _verdict: Ending, reason: str) -> bool:
    return "plaintext" in reason


def test_only_surprises_are_diagnosed(suites: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    diagnosed: list[str] = []
    monkeypatch.setattr(
        plugin.diagnostics, "collect", lambda _cluster, _spaces, folder, _more: diagnosed.append(folder.name)
    )
    tests = [f"test_inner_suite.py::test_{name}" for name in ("expected", "surprise", "fine")]
    checks = run_tests(mesh(tmp_path), suites, tests, tmp_path / "log", on_purpose)
    assert [check.verdict for check in checks] == [Verdict.VIOLATE, Verdict.VIOLATE, Verdict.CONFORM]
    assert diagnosed == ["test_surprise"]


def test_a_test_that_is_not_there_is_an_error_in_words(suites: Path, tmp_path: Path) -> None:
    with pytest.raises(MeshproofError, match="the tests did not run"):
        run_tests(mesh(tmp_path), suites, ["test_inner_suite.py::test_nobody"], tmp_path / "log")
