"""Mutants against tests: caught for the right reason, for another reason, missed, or a test hit that should not be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from meshproof.prove.mutants import Mutant
from meshproof.report.results import UNHARMED, CheckResult, Ending, LeftOut
from meshproof.verdict import Verdict

__all__ = [
    "Cell",
    "Mark",
    "Row",
    "foretold",
    "is_expected",
    "is_of",
    "judge",
    "left_out",
    "unproven",
    "without_mutant",
]


class Mark(StrEnum):
    """What became of one test under one mutant."""

    CAUGHT = "caught"
    OTHER_REASON = "another reason"
    MISSED = "missed"
    COLLATERAL = "collateral"
    GREEN = "green"
    NOT_RUN = "not run"
    LEFT_OUT = "left out"
    """It had to fail, and cannot be made on this bed, as the mutant says that it may be."""


@dataclass(frozen=True)
class Cell:
    """One test under one mutant. `reason` is what the test said, `wanted` what it had to say (a regular expression);
    `seconds` what it took."""

    test: str
    mark: Mark
    verdict: str
    reason: str = ""
    wanted: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Row:
    """One mutant: what it did to the tests, and whether the mesh was well again afterwards."""

    mutant: str
    area: str
    breaks: str
    cells: tuple[Cell, ...]
    restored: bool = True
    seconds: float = 0.0
    problem: str = ""
    note: str = ""
    phases: Mapping[str, float] = field(default_factory=dict)
    """Seconds by phase: see phases.Phase."""
    proven_well_with: tuple[str, ...] = ()
    """The mutants with which it shared the proof that the mesh was well afterwards."""

    @property
    def holds(self) -> bool:
        """Whether everything that had to fail did so for its reason, nothing else did, and the mesh was restored."""
        fine = all(cell.mark in (Mark.CAUGHT, Mark.GREEN, Mark.LEFT_OUT) for cell in self.cells)
        return fine and self.restored and not self.problem and any(cell.mark is Mark.CAUGHT for cell in self.cells)


def judge(mutant: Mutant, checks: Sequence[CheckResult]) -> tuple[Cell, ...]:
    """The cells of a mutant's row, from the results of its tests while it was in force.

    A violation is what has to be: a check that ends INVALID did not see the property broken, unless the expectation's
    own words begin with INVALID.
    """
    cells: list[Cell] = []
    told: set[str] = set()
    for expectation in mutant.fails:
        found = [check for check in checks if is_of(expectation.test, check.check) and check.check not in told]
        told.update(check.check for check in found)
        if not found:
            cells.append(Cell(expectation.test, Mark.NOT_RUN, "", wanted=expectation.because))
        for check in found:
            mark = _mark(check.verdict, check.reason, expectation.because)
            if check.verdict is LeftOut.NOT_PROVEN and expectation.may_be_left_out:
                mark = Mark.LEFT_OUT
            cells.append(_cell(check, mark, expectation.because))
    others = [check for check in checks if check.check not in told]
    cells += [_cell(check, Mark.GREEN if check.verdict in UNHARMED else Mark.COLLATERAL) for check in others]
    run = [check.check for check in checks]
    missing = [test for test in mutant.green if not any(is_of(test, check) for check in run)]
    cells += [Cell(test, Mark.NOT_RUN, "") for test in missing]
    return tuple(cells)


def _cell(check: CheckResult, mark: Mark, wanted: str = "") -> Cell:
    return Cell(_short(check.check), mark, check.verdict.value, check.reason, wanted, check.seconds)


def without_mutant(mutants: Iterable[Mutant], tests: Iterable[str]) -> list[str]:
    """The test functions, of all those given, that no mutant says it makes fail."""
    named = {expectation.test.partition("[")[0] for mutant in mutants for expectation in mutant.fails}
    return sorted({_short(test).partition("[")[0] for test in tests} - named)


def is_expected(mutant: Mutant, node: str, verdict: Ending, reason: str) -> bool:
    """Whether a test ended, under this mutant, as the mutant says that it has to fail."""
    return any(
        _mark(verdict, reason, expectation.because) is Mark.CAUGHT
        for expectation in mutant.fails
        if is_of(expectation.test, node)
    )


def foretold(failures: Mapping[str, str], mutant: Mutant) -> list[str]:
    """The failed tests whose failure (reasons by test) would count as this mutant's, if it were still there."""
    return [
        test
        for test, reason in failures.items()
        if any(is_of(it.test, test) and re.search(it.because, reason, re.DOTALL) for it in mutant.fails)
    ]


def unproven(rows: Iterable[Row], tests: Iterable[str]) -> list[str]:
    """The test functions, of all those given, that were made and that no mutant made fail for the right reason."""
    rows = list(rows)
    return sorted({_short(test).partition("[")[0] for test in tests} - _marked(rows, Mark.CAUGHT) - {*left_out(rows)})


def left_out(rows: Iterable[Row]) -> list[str]:
    """The test functions that this bed cannot make, so that it cannot be seen whether they would fail."""
    rows = list(rows)
    return sorted(_marked(rows, Mark.LEFT_OUT) - _marked(rows, Mark.CAUGHT))


def _marked(rows: Iterable[Row], mark: Mark) -> set[str]:
    return {cell.test.partition("[")[0] for row in rows for cell in row.cells if cell.mark is mark}


def _mark(verdict: Ending, reason: str, because: str) -> Mark:
    if verdict in UNHARMED:
        return Mark.MISSED
    wants_invalid = because.startswith("INVALID")
    right_end = (verdict is Verdict.INVALID) == wants_invalid
    return Mark.CAUGHT if right_end and re.search(because, reason, re.DOTALL) else Mark.OTHER_REASON


def _short(node: str) -> str:
    """`test_x.py::test_y[case]` of pytest's node id; the folder of the suites is left out."""
    path, _, rest = node.partition("::")
    return f"{path.removeprefix('suites/')}::{rest}"


def is_of(test: str, node: str) -> bool:
    """Whether a node is this test, or one of its cases when it names none."""
    short = _short(node)
    return short == test if "[" in test else short.partition("[")[0] == test
