"""The order of things: which mutants follow each other directly, and when the mesh has to be proven well in between.

Mutants of a group are put in force one after the other; only one is in force at any time. The mending of each goes on
while the next is put in force, and the tests of all are run on the mended mesh once, at the end of the group. So a
mutant may meet what is left of one before it. That must not make it look caught: when failures that were seen in the
group would fulfil the expectations of the next mutant, those tests are run on the mended mesh before it is tried, and
the group ends when one of them fails. Nor does it make it look missed: what does not hold in a group, or is not well
after it, is proven again, alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from meshproof.errors import MeshproofError
from meshproof.mend.undoing import NotMended
from meshproof.prove.matrix import Cell, Mark, Row, foretold, is_of
from meshproof.prove.mutants import Mutant
from meshproof.prove.phases import Stopwatch
from meshproof.report.results import CheckResult
from meshproof.verdict import Verdict

__all__ = ["LARGEST", "Stand", "prove_in_groups"]

LARGEST = 100
"""Mutants in a group: what a mesh that is not well at its end can cost."""


class Stand(Protocol):
    """What is done to the mesh: see bench.Bench."""

    watch: Stopwatch

    def put_in_force(self, mutant: Mutant) -> None: ...
    def test(self, mutant: Mutant) -> tuple[Cell, ...]: ...
    def mend(self) -> str: ...
    def ill(self, tests: Sequence[str], mutants: Sequence[Mutant]) -> list[CheckResult]: ...


@dataclass(frozen=True)
class _Tried:
    mutant: Mutant
    row: Row


def prove_in_groups(
    stand: Stand, mutants: Iterable[Mutant], largest: int = LARGEST, tried: Callable[[Row], None] = lambda _row: None
) -> Iterator[Row]:
    """The rows of all mutants, in groups of at most `largest`; each group's as soon as the mesh was proven well again.

    `tried` is given each row before that, when the mutant's tests were run. Raises NotMended.
    """
    waiting = deque(mutants)
    while waiting:
        group: list[_Tried] = []
        failures: dict[str, str] = {}
        """Reasons by test: what was seen to fail, and not to be well since."""
        try:
            while waiting and len(group) < largest and _is_clear(stand, waiting[0], failures):
                group.append(_tried(stand, waiting.popleft()))
                tried(_timed(stand, group[-1].row))
                _remember(failures, group[-1].row)
                if group[-1].row.problem:
                    break
        finally:
            unsettled = stand.mend()
        yield from _proven(stand, group, unsettled, tried)


def _is_clear(stand: Stand, mutant: Mutant, failures: dict[str, str]) -> bool:
    """Whether no failure that was seen before can be taken for one by this mutant."""
    doubtful = foretold(failures, mutant)
    if doubtful and (stand.mend() or stand.ill(doubtful, [mutant])):
        return False
    for test in doubtful:
        del failures[test]
    return True


def _remember(failures: dict[str, str], row: Row) -> None:
    for cell in row.cells:
        if cell.mark in (Mark.CAUGHT, Mark.OTHER_REASON, Mark.COLLATERAL):
            failures[cell.test] = cell.reason
        elif cell.verdict == Verdict.CONFORM:
            failures.pop(cell.test, None)


def _tried(stand: Stand, mutant: Mutant) -> _Tried:
    row = Row(mutant.name, mutant.area, mutant.breaks, ())
    try:
        stand.put_in_force(mutant)
        return _Tried(mutant, replace(row, cells=stand.test(mutant)))
    except NotMended:
        raise
    except MeshproofError as error:
        return _Tried(mutant, replace(row, problem=str(error)))


def _proven(stand: Stand, group: Sequence[_Tried], unsettled: str, again: Callable[[Row], None]) -> Iterator[Row]:
    """The rows of a group, when its tests have been run on the mended mesh."""
    tests = dict.fromkeys(test for it in group for test in it.mutant.tests)
    ill = stand.ill(list(tests), [it.mutant for it in group])
    for number, it in enumerate(group):
        own = [check for check in ill if any(is_of(test, check.check) for test in it.mutant.tests)]
        problem = it.row.problem or unsettled or _words(own)
        row = replace(it.row, problem=problem, restored=not own and not unsettled)
        # Only the first was tried on a mesh that had just been proven well; of the others that is made up for.
        if not row.holds and (number > 0 or (len(group) > 1 and not row.restored)):
            yield from _alone(stand, row, it.mutant, again)
        else:
            others = tuple(other.mutant.name for other in group if other is not it)
            yield _timed(stand, replace(row, proven_well_with=others))


def _alone(stand: Stand, before: Row, mutant: Mutant, tried: Callable[[Row], None]) -> Iterator[Row]:
    for row in prove_in_groups(stand, [mutant], largest=1, tried=tried):
        yield replace(row, note=f"proven again, alone: {before.problem or 'it did not hold in its group'}")


def _timed(stand: Stand, row: Row) -> Row:
    phases: Mapping[str, float] = stand.watch.seconds(row.mutant)
    return replace(row, phases=phases, seconds=round(sum(phases.values()), 1))


def _words(ill: Sequence[CheckResult]) -> str:
    if not ill:
        return ""
    return "not well after mending: " + "; ".join(f"{check.check}: {check.reason}" for check in ill[:3])
