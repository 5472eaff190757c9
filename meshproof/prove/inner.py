"""Some of the suites, run in this process against a mesh that stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from meshproof.errors import MeshproofError
from meshproof.mesh import Mesh
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


def collected(suites: Path) -> list[str]:
    """The node ids of all tests of the suites: nothing is run, and no cluster is needed.

    Raises MeshproofError when there is none, with pytest's last words.
    """

    class Collector:
        def __init__(self) -> None:
            self.nodes: list[str] = []

        def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
            folder = items[0].config.rootpath
            self.nodes += [f"suites/{_within(suites, folder / item.nodeid)}" for item in items]

    collector = Collector()
    with TemporaryDirectory() as folder:
        log = Path(folder) / "collect.log"
        _pytest([str(suites), "--collect-only", "--continue-on-collection-errors"], log, collector)
        last = log.read_text().strip().splitlines()[-5:]
    if not collector.nodes:
        raise MeshproofError("the tests of the suites cannot be collected", seen="; ".join(last))
    return collector.nodes


def _within(suites: Path, node: Path) -> str:
    return str(node).removeprefix(f"{suites}/")


def _pytest(words: Sequence[str], log: Path, *plugins: object) -> int | pytest.ExitCode:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as out, redirect_stdout(out), redirect_stderr(out):
        return pytest.main([*_QUIET, *words], plugins=[*plugins])
