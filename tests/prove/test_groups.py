"""Mutants in groups: quicker, and no less is proven. The mesh is a set of failures that mutants bring and take away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import pytest
from small_mutants import a_mutant

from meshproof.errors import MeshproofError
from meshproof.mend.undoing import NotMended
from meshproof.prove.footprints import Footprints
from meshproof.prove.groups import prove_in_groups
from meshproof.prove.matrix import Cell, Row, judge
from meshproof.prove.mutants import Mutant
from meshproof.prove.phases import Phase, Stopwatch
from meshproof.report.results import CheckResult
from meshproof.verdict import Verdict


class Mesh:
    """`breaks`: test and reason by mutant; one that is not named does what it says. `stays`: those whose failures are
    not taken away by mending. `cannot`: those that cannot be put in force: always, or so many times."""

    def __init__(self, **breaks: dict[str, str]) -> None:
        ticks = count()
        self.watch = Stopwatch(clock=lambda: float(next(ticks)))
        self.breaks = breaks
        self.stays: set[str] = set()
        self.cannot: dict[str, int] = {}
        self.failures: dict[str, tuple[str, str]] = {}
        """Reason and mutant, by test."""
        self.in_force: Mutant | None = None
        self.log: list[str] = []

    def put_in_force(self, mutant: Mutant) -> None:
        self.mend()
        self.log.append(f"break {mutant.name}")
        if self.cannot.get(mutant.name, 0) > 0:
            self.cannot[mutant.name] -= 1
            raise MeshproofError(f"{mutant.name} cannot be put in force")
        self.in_force = mutant
        expected = {it.test.partition("::")[2]: it.because for it in mutant.fails}
        for test, reason in self.breaks.get(mutant.name, expected).items():
            self.failures.setdefault(test, (reason, mutant.name))

    def test(self, mutant: Mutant) -> tuple[Cell, ...]:
        with self.watch.runs(Phase.TEST, mutant.name):
            return judge(mutant, [self._check(test) for test in mutant.tests])

    def mend(self, hurry: bool = False) -> str:
        self.failures = {test: (reason, of) for test, (reason, of) in self.failures.items() if of in self.stays}
        self.in_force = None
        return ""

    def ill(self, tests: Sequence[str], mutants: Sequence[Mutant]) -> list[CheckResult]:
        assert self.in_force is None, "a mutant is in force"
        self.log.append(" ".join(["well?", *(test.partition("::")[2] for test in tests)]))
        with self.watch.runs(Phase.HEAL, *(mutant.name for mutant in mutants)):
            return [check for test in tests if (check := self._check(test)).verdict is not Verdict.CONFORM]

    def leave(self) -> None:
        self.log.append("left")

    def seconds(self, mutant: str) -> Mapping[str, float]:
        return self.watch.all().get(mutant, {})

    def _check(self, test: str) -> CheckResult:
        reason, _ = self.failures.get(test.partition("::")[2], ("", ""))
        return CheckResult(f"suites/{test}", "", Verdict.VIOLATE if reason else Verdict.CONFORM, reason, 0.1)


def proven(mesh: Mesh, mutants: Sequence[Mutant], **how: Any) -> Iterator[Row]:
    """In one lane."""
    return prove_in_groups([mesh], mutants, Footprints({}), **how)


A = a_mutant("a", {"test_1": "plaintext"})
B = a_mutant("b", {"test_2": "no route"})
C = a_mutant("c", {"test_1": "no address"}, green=("test_2",))
LIKE_A = a_mutant("like-a", {"test_1": "plain"})


def test_a_group_shares_one_proof_that_the_mesh_is_well() -> None:
    mesh = Mesh()
    rows = list(proven(mesh, [A, B, C]))
    assert [row.holds for row in rows] == [True] * 3
    assert mesh.log == ["break a", "break b", "break c", "well? test_1 test_2"]
    assert rows[0].proven_well_with == ("b", "c")


def test_what_a_mutant_did_is_told_before_the_proof_that_the_mesh_is_well() -> None:
    mesh = Mesh()
    for row in proven(mesh, [A, B], tried=lambda row: mesh.log.append(f"tried {row.mutant}")):
        mesh.log.append(f"told {row.mutant}")
    assert mesh.log == ["break a", "tried a", "break b", "tried b", "well? test_1 test_2", "told a", "told b"]


def test_a_group_has_its_bound_and_one_means_each_alone() -> None:
    mesh = Mesh()
    assert all(row.holds for row in proven(mesh, [A, B, C], largest=2))
    assert mesh.log == ["break a", "break b", "well? test_1 test_2", "break c", "well? test_1 test_2"]
    alone = Mesh()
    assert all(row.holds for row in proven(alone, [A, B, C], largest=1))
    assert alone.log == ["break a", "well? test_1", "break b", "well? test_2", "break c", "well? test_1 test_2"]


def test_a_test_is_seen_to_be_well_before_its_failure_could_be_taken_for_another_mutants() -> None:
    mesh = Mesh()
    assert all(row.holds for row in proven(mesh, [A, B, LIKE_A]))
    assert mesh.log == ["break a", "break b", "well? test_1", "break like-a", "well? test_1 test_2"]


def test_a_test_that_was_seen_to_be_well_since_is_not_asked_again() -> None:
    mesh = Mesh()
    between = a_mutant("between", {"test_2": "no route"}, green=("test_1",))
    assert all(row.holds for row in proven(mesh, [A, between, LIKE_A]))
    assert mesh.log == ["break a", "break between", "break like-a", "well? test_1 test_2"]


def test_a_group_ends_when_what_could_be_taken_for_the_next_mutant_is_still_there() -> None:
    mesh = Mesh()
    mesh.stays = {"a"}
    rows = list(proven(mesh, [A, LIKE_A]))
    assert mesh.log[:3] == ["break a", "well? test_1", "well? test_1"]
    assert not rows[0].holds and "not well after mending" in rows[0].problem


def test_what_is_left_of_one_never_makes_another_look_caught() -> None:
    mesh = Mesh(**{"like-a": {}})  # a mutant that breaks nothing by itself
    rows = list(proven(mesh, [A, B, LIKE_A]))
    assert [row.holds for row in rows] == [True, True, False]


def test_a_mutant_that_is_not_mended_is_found_and_those_beside_it_are_not_blamed() -> None:
    mesh = Mesh()
    mesh.stays = {"b"}
    mended = Mesh()
    rows = {row.mutant: row for row in proven(mesh, [A, B])}
    assert rows["a"].holds and not rows["a"].note
    assert not rows["b"].holds and not rows["b"].restored
    assert "test_2: no route" in rows["b"].problem
    assert mesh.log == ["break a", "break b", "well? test_1 test_2", "break b", "well? test_2"]
    assert all(row.holds for row in proven(mended, [A, B]))


def test_a_mutant_that_met_what_another_left_is_proven_again_alone() -> None:
    """`a` stays in force until its group has ended, and `c` meets it there."""
    mesh = Mesh()
    mesh.stays = {"a"}
    rows = proven(mesh, [A, C])
    original = mesh.ill

    def ill(tests: Sequence[str], mutants: Sequence[Mutant]) -> list[CheckResult]:
        found = original(tests, mutants)
        mesh.stays, mesh.failures = set(), {}
        return found

    mesh.ill = ill  # type: ignore[method-assign]
    found = list(rows)
    assert mesh.log == [
        "break a",
        "break c",
        "well? test_1 test_2",
        "break a",
        "well? test_1",
        "break c",
        "well? test_1 test_2",
    ]
    assert [row.holds for row in found] == [True, True]
    assert all(row.note.startswith("proven again, alone: not well after mending") for row in found)


def test_a_mutant_that_could_not_be_put_in_force_in_a_group_is_tried_alone() -> None:
    mesh = Mesh()
    mesh.cannot = {"b": 1}
    rows = {row.mutant: row for row in proven(mesh, [A, B, C])}
    assert mesh.log == [
        "break a",
        "break b",
        "well? test_1 test_2",
        "break b",
        "well? test_2",
        "break c",
        "well? test_1 test_2",
    ]
    assert all(row.holds for row in rows.values())
    assert rows["b"].note == "proven again, alone: b cannot be put in force"
    mesh.cannot = {"b": 2}
    assert [row.problem for row in proven(mesh, [A, B])] == ["", "b cannot be put in force"]


def test_a_mutant_that_is_missed_is_tried_again_only_if_the_mesh_was_not_proven_well_right_before() -> None:
    mesh = Mesh(a={}, b={})
    rows = list(proven(mesh, [A, B]))
    assert [row.holds for row in rows] == [False, False]
    assert mesh.log == ["break a", "break b", "well? test_1 test_2", "break b", "well? test_2"]
    assert [row.note for row in rows] == ["", "proven again, alone: it did not hold in its group"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), NotMended("it cannot be undone")])
def test_whatever_ends_a_proof_the_mesh_is_mended(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = Mesh()

    def test(mutant: Mutant) -> tuple[Cell, ...]:
        raise error

    monkeypatch.setattr(mesh, "test", test)
    with pytest.raises(type(error)):
        list(proven(mesh, [A, B]))
    assert mesh.in_force is None
    assert mesh.log == ["break a"]


def test_seconds_are_kept_by_phase_and_the_shared_proof_is_shared_out() -> None:
    rows = list(proven(Mesh(), [A, B]))
    assert [dict(row.phases) for row in rows] == [
        {"break": 0.0, "settle": 0.0, "test": 1.0, "undo": 0.0, "heal": 0.5},
        {"break": 0.0, "settle": 0.0, "test": 1.0, "undo": 0.0, "heal": 1.0},
    ]
