"""Some of the suites, run in this process against a mesh that stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from meshproof.errors import MeshproofError, UsageError
from meshproof.mesh import Mesh
from meshproof.parts import EVERYTHING, Footprint, Part
from meshproof.plugin import Given
from meshproof.report.results import CheckResult, Ending

__all__ = ["collected", "run_tests"]

# Modules that pytest would rewrite are imported already: this is not its first session in this process, nor are its
# modules the first ones of their names.
_QUIET = (
    "-q",
    "--import-mode=importlib",
    "-p",
    "no:cacheprovider",
    "--no-header",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
)


def run_tests(
    mesh: Mesh,
    suites: Path,
    tests: Sequence[str],
    log: Path,
    expects: Callable[[str, Ending, str], bool] = lambda _node, _verdict, _reason: False,
) -> list[CheckResult]:
    """The results of test functions ("test_x.py::test_y"); pytest's own words go to `log`.

    Failures that `expects` knows, by node id, verdict and reason, are on purpose and not diagnosed.

    Raises MeshproofError when a test is not there, KeyboardInterrupt when one was interrupted.
    """
    given = Given(mesh, expects=expects)
    code = _pytest([str(suites / test) for test in tests], log, given)
    if code is pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        last = log.read_text().strip().splitlines()[-5:]
        raise MeshproofError("the tests did not run", seen="; ".join(last), remedy=f"read {log}")
    return given.results.checks


def collected(suites: Path) -> dict[str, Footprint]:
    """The node ids of all tests of the suites, and what each is about: nothing is run, and no cluster is needed.

    Raises MeshproofError when there is none, with pytest's last words; UsageError when one is about a part that no mesh
    has.
    """

    class Collector:
        def __init__(self) -> None:
            self.nodes: dict[str, _About] = {}

        def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
            folder = items[0].config.rootpath
            for item in items:
                self.nodes[f"suites/{_within(suites, folder / item.nodeid)}"] = _about(item)

    collector = Collector()
    with TemporaryDirectory() as folder:
        log = Path(folder) / "collect.log"
        _pytest([str(suites), "--collect-only", "--continue-on-collection-errors"], log, collector)
        last = log.read_text().strip().splitlines()[-5:]
    if not collector.nodes:
        raise MeshproofError("the tests of the suites cannot be collected", seen="; ".join(last))
    return {node: _footprint(node, about) for node, about in collector.nodes.items()}


_About = tuple[Sequence[str] | None, Sequence[str]]


def _about(item: pytest.Item) -> _About:
    """What a test looks at and what it changes, by its markers, the nearest of each kind."""
    looks_at, changes = (item.get_closest_marker(name) for name in ("looks_at", "changes"))
    return looks_at.args if looks_at else None, changes.args if changes else ()


def _footprint(node: str, about: _About) -> Footprint:
    """A test that does not say what it looks at is about everything."""
    looks_at, changes = about
    if looks_at is None:
        return EVERYTHING
    try:
        return Footprint.of(changes, looks_at)
    except ValueError as error:
        remedy = f"use {', '.join(Part)} in its markers looks_at and changes"
        raise UsageError(f"{node} is about a part that no mesh has", seen=error, remedy=remedy) from error


def _within(suites: Path, node: Path) -> str:
    return str(node).removeprefix(f"{suites}/")


def _pytest(words: Sequence[str], log: Path, *plugins: object) -> int | pytest.ExitCode:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as out, redirect_stdout(out), redirect_stderr(out):
        return pytest.main([*_QUIET, *words], plugins=[*plugins])
