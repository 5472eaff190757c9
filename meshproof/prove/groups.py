"""The order of things: which mutants follow each other directly, which are tried side by side, and when the mesh has
to be proven well in between.

Mutants are tried in lanes. In a lane one is put in force after the other, and the mending of each goes on while the
next is put in force. Two lanes have a mutant each in force only when these stay apart: neither touches what the other,
or a test of the other, is about. The tests of all are run on the mended mesh once, at the end of a group.

So a mutant may meet what is left of one before it. That must not make it look caught: when failures that were seen in
the group would fulfil the expectations of the next mutant, those tests are run on the mended mesh before it is tried,
and the group ends when one of them fails. Nor does it make it look missed: what does not hold in a group, or is not
well after it, is proven again, alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Protocol

from meshproof.errors import MeshproofError
from meshproof.mend.undoing import NotMended
from meshproof.parts import NOTHING, Footprint
from meshproof.prove.floor import Floor
from meshproof.prove.lanes import in_lanes
from meshproof.prove.matrix import Cell, Mark, Row, foretold, is_of
from meshproof.prove.mutants import Mutant
from meshproof.prove.phases import Phase
from meshproof.report.results import CheckResult
from meshproof.verdict import Verdict

__all__ = ["LARGEST", "Stand", "prove_in_groups"]

LARGEST = 100
"""Mutants in a group: what a mesh that is not well at its end can cost."""


class Stand(Protocol):
    """What is done to the mesh in a lane: see bench.Bench."""

    def put_in_force(self, mutant: Mutant) -> None: ...
    def test(self, mutant: Mutant) -> tuple[Cell, ...]: ...
    def mend(self, hurry: bool = False) -> str: ...
    def ill(self, tests: Sequence[str], mutants: Sequence[Mutant]) -> list[CheckResult]: ...
    def leave(self) -> None: ...
    def seconds(self, mutant: str) -> Mapping[str, float]: ...


class Apart(Protocol):
    """What tests and mutants are about: see footprints.Footprints."""

    def of_tests(self, tests: Iterable[str]) -> Footprint: ...
    def of_mutant(self, mutant: Mutant) -> Footprint: ...
    def units(self, tests: Iterable[str]) -> list[tuple[str, ...]]: ...


def prove_in_groups(
    stands: Sequence[Stand],
    mutants: Iterable[Mutant],
    apart: Apart,
    largest: int = LARGEST,
    tried: Callable[[Row], None] = lambda _row: None,
) -> Iterator[Row]:
    """The rows of all mutants, in groups of at most `largest`; each group's as soon as the mesh was proven well again.

    There are as many lanes as stands. `tried` is given each row before that, when the mutant's tests were run, by the
    threads of the lanes, one at a time. Raises NotMended.
    """
    waiting = list(mutants)
    while waiting:
        group = _Group(stands, waiting[:largest], apart, tried)
        unsettled = group.try_all()
        yield from group.proven(unsettled)
        waiting = [mutant for mutant in waiting if mutant.name not in group.rows]


class _Group:
    """Mutants that share a proof that the mesh is well again."""

    def __init__(
        self, stands: Sequence[Stand], mutants: Sequence[Mutant], apart: Apart, tried: Callable[[Row], None]
    ) -> None:
        self.rows: dict[str, Row] = {}
        """Those that were tried, in the order of their ends."""
        self._mutants = {mutant.name: mutant for mutant in mutants}
        self._stands = stands
        self._apart = apart
        self._tell = tried
        self._floor = Floor(mutants, apart.of_mutant, len(stands))
        self._failures: dict[str, str] = {}
        """Reasons by test: what was seen to fail, and not to be well since."""
        self._one_at_a_time = Lock()

    def try_all(self) -> str:
        """Try the mutants until all have been, or one leaves behind what could be taken for another's doing.

        Returns why the mesh has not settled afterwards, or "".
        """
        unsettled = in_lanes(self._stands, self._lane, self._floor.stop)
        return "; ".join(dict.fromkeys(filter(None, unsettled)))

    def _lane(self, lane: int, stand: Stand) -> str:
        try:
            while (mutant := self._next(lane, stand)) is not None:
                self._keep(_timed([stand], self._tried(lane, stand, mutant)))
        finally:
            unsettled = stand.mend()
            self._floor.hold(lane, NOTHING)
        return unsettled

    def _next(self, lane: int, stand: Stand) -> Mutant | None:
        """The next mutant of a lane. Until there is one, nothing is in force there."""
        while (mutant := self._floor.take(lane)) is None:
            if stand.mend(hurry=True):
                self._floor.stop()
            if not self._floor.wait(lane):
                return None
        if self._is_clear(stand, mutant):
            return mutant
        self._floor.put_back(mutant)
        self._floor.stop()
        return None

    def _is_clear(self, stand: Stand, mutant: Mutant) -> bool:
        """Whether no failure that was seen before can be taken for one by this mutant."""
        with self._one_at_a_time:
            doubtful = foretold(self._failures, mutant)
        if doubtful and (stand.mend(hurry=True) or stand.ill(doubtful, [mutant])):
            return False
        with self._one_at_a_time:
            for test in doubtful:
                self._failures.pop(test, None)
        return True

    def _tried(self, lane: int, stand: Stand, mutant: Mutant) -> Row:
        row = Row(mutant.name, mutant.area, mutant.breaks, ())
        try:
            stand.put_in_force(mutant)
            self._floor.hold(lane, self._apart.of_mutant(mutant))
            return replace(row, cells=stand.test(mutant))
        except NotMended:
            raise
        except MeshproofError as error:
            return replace(row, problem=str(error))

    def _keep(self, row: Row) -> None:
        with self._one_at_a_time:
            self.rows[row.mutant] = row
            for cell in row.cells:
                if cell.mark in (Mark.CAUGHT, Mark.OTHER_REASON, Mark.COLLATERAL):
                    self._failures[cell.test] = cell.reason
                elif cell.verdict == Verdict.CONFORM:
                    self._failures.pop(cell.test, None)
            self._tell(row)
        if row.problem:
            self._floor.stop()

    def proven(self, unsettled: str) -> Iterator[Row]:
        """The rows, when the tests of all have been run on the mended mesh."""
        ill = self._ill()
        alone = len(self.rows) == 1 or len(self._stands) == 1
        for number, row in enumerate(list(self.rows.values())):
            tests = self._mutants[row.mutant].tests
            own = [check for check in ill if any(is_of(test, check.check) for test in tests)]
            problem = row.problem or unsettled or _words(own)
            row = replace(row, problem=problem, restored=not own and not unsettled)
            # Only the first of one lane was tried on a mesh that had just been proven well; that is made up for.
            if not row.holds and (number > 0 or not alone or (len(self.rows) > 1 and not row.restored)):
                yield from self._again(row)
            else:
                others = tuple(name for name in self.rows if name != row.mutant)
                yield _timed(self._stands, replace(row, proven_well_with=others))

    def _ill(self) -> list[CheckResult]:
        """Those of the tests of all that do not hold on the mended mesh."""
        mutants = [self._mutants[name] for name in self.rows]
        tests = dict.fromkeys(test for mutant in mutants for test in mutant.tests)
        # Figures are looked at before checks replace agents: what a tracer sends to the old one then is lost.
        floor = Floor(self._apart.units(tests), self._apart.of_tests, len(self._stands), alone_first=True)

        def lane(number: int, stand: Stand) -> list[CheckResult]:
            found: list[CheckResult] = []
            while True:
                unit = floor.take(number)
                if unit is not None:
                    found += stand.ill(unit, [mutant for mutant in mutants if {*mutant.tests} & {*unit}])
                    floor.hold(number, NOTHING)
                elif not floor.wait(number):
                    return found

        return [check for found in in_lanes(self._stands, lane, floor.stop) for check in found]

    def _again(self, before: Row) -> Iterator[Row]:
        mutant = self._mutants[before.mutant]
        for row in prove_in_groups(self._stands[:1], [mutant], self._apart, largest=1, tried=self._tell):
            yield replace(row, note=f"proven again, alone: {before.problem or 'it did not hold in its group'}")


def _timed(stands: Sequence[Stand], row: Row) -> Row:
    phases = {
        phase.value: round(sum(stand.seconds(row.mutant).get(phase.value, 0.0) for stand in stands), 1)
        for phase in Phase
    }
    return replace(row, phases=phases, seconds=round(sum(phases.values()), 1))


def _words(ill: Sequence[CheckResult]) -> str:
    if not ill:
        return ""
    return "not well after mending: " + "; ".join(f"{check.check}: {check.reason}" for check in ill[:3])
