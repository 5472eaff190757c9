"""Mutants side by side: only those that stay apart, and what is seen of them is the same as one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Barrier, BrokenBarrierError, Lock
from typing import Any

import pytest
from small_mutants import a_mutant

from meshproof.errors import MeshproofError
from meshproof.mend.undoing import NotMended
from meshproof.parts import EVERYTHING, NOTHING, Footprint, Part
from meshproof.prove.floor import Floor
from meshproof.prove.footprints import Footprints
from meshproof.prove.groups import prove_in_groups
from meshproof.prove.lanes import in_lanes
from meshproof.prove.matrix import Cell, judge
from meshproof.prove.mutants import Expectation, Mutant
from meshproof.report.results import CheckResult
from meshproof.verdict import Verdict

GOAPI, AGENTS, NODES = (Footprint.of([part], [part]) for part in ("goapi", "agents", "nodes"))


def about(*looks_at: str, changes: Sequence[str] = ()) -> Footprint:
    return Footprint.of(changes, looks_at)


def test_two_stay_apart_when_neither_changes_what_the_other_is_about() -> None:
    assert GOAPI.is_apart_from(AGENTS)
    assert not GOAPI.is_apart_from(GOAPI)
    assert about("agents").is_apart_from(about("agents")), "both only look"
    assert not about("agents").is_apart_from(AGENTS) and not AGENTS.is_apart_from(about("agents"))
    assert not (about("nodes") | about(changes=["goapi"])).is_apart_from(about("goapi"))


def test_what_is_about_everything_stays_apart_from_nothing_else() -> None:
    assert not EVERYTHING.is_apart_from(about("nodes")) and not about("nodes").is_apart_from(EVERYTHING)
    assert EVERYTHING.is_apart_from(NOTHING) and NOTHING.is_apart_from(EVERYTHING)
    assert (GOAPI | EVERYTHING) == EVERYTHING
    assert Footprint.of(None, ["nodes"]) | NOTHING == Footprint(None, frozenset({Part.NODES}))


def test_a_part_that_there_is_not_is_no_part() -> None:
    with pytest.raises(ValueError, match="router"):
        Footprint.of(["router"], ())


TESTS = {
    "suites/test_x.py::test_1": about("goapi"),
    "suites/test_x.py::test_2": about("agents"),
    "suites/test_y.py::test_3": about("nodes", changes=["addresses"]),
    "suites/test_z.py::test_4": EVERYTHING,
    "suites/canary/test_w.py::test_5": EVERYTHING,
}


def test_a_mutant_is_about_what_it_touches_and_what_its_tests_are_about() -> None:
    footprints = Footprints(TESTS)
    assert footprints.of_mutant(a_mutant("m", {"test_1": "x"}, touches=["agents"])) == about(
        "goapi", changes=["agents"]
    )
    assert footprints.of_mutant(a_mutant("m", {"test_1": "x"})).changes is None, "it does not say what it touches"
    unknown = a_mutant("m", {"test_9": "x"}, touches=["agents"])
    assert footprints.of_mutant(unknown) == EVERYTHING


def test_tests_of_a_file_are_one_session_and_those_that_need_the_mesh_for_themselves_are_another() -> None:
    tests = ["test_x.py::test_1", "test_z.py::test_4", "test_x.py::test_2", "canary/test_w.py::test_5"]
    assert Footprints(TESTS).units([*tests, "test_y.py::test_3"]) == [
        ("test_x.py::test_1", "test_x.py::test_2"),
        ("test_y.py::test_3",),
        ("test_z.py::test_4", "canary/test_w.py::test_5"),
    ]


def floor(lanes: int = 2) -> Floor[str]:
    jobs = {"g1": GOAPI, "all": EVERYTHING, "g2": GOAPI, "a1": AGENTS, "a2": AGENTS}
    return Floor(list(jobs), jobs.__getitem__, lanes)


def test_what_needs_all_waits_until_nothing_is_held() -> None:
    jobs = floor()
    assert (jobs.take(0), jobs.take(1)) == ("g1", "a1"), "what needs all is left to the last"
    jobs.hold(0, GOAPI)
    assert (jobs.take(0), jobs.take(1)) == ("g2", "a2")
    assert jobs.take(0) is None and jobs.take(1) is None
    jobs.hold(1, NOTHING)
    assert jobs.take(1) is None, "the other lane still holds its last one"
    jobs.hold(0, NOTHING)
    assert jobs.take(1) == "all"
    assert jobs.waiting == [] and not jobs.wait(0)


def test_those_that_are_in_the_way_of_the_most_come_first() -> None:
    kinds = {"g": GOAPI, "n": NODES, "both": GOAPI | NODES, "a1": AGENTS, "a2": AGENTS}
    jobs = Floor([*kinds], kinds.__getitem__, 2)
    assert jobs.take(0) == "both", "in the way of g and n"
    assert jobs.take(1) == "a1"
    jobs.hold(0, NOTHING)
    jobs.hold(1, NOTHING)
    assert [jobs.take(0) for _ in range(3)] == ["g", "n", "a2"]


def test_until_the_next_is_in_force_a_lane_holds_what_it_had_before() -> None:
    jobs = Floor(["g", "n", "g2"], {"g": GOAPI, "n": NODES, "g2": GOAPI}.__getitem__, 2)
    assert [jobs.take(0), jobs.take(0)] == ["g", "n"]
    assert jobs.take(1) is None
    jobs.hold(0, NODES)
    assert jobs.take(1) == "g2"


def test_nothing_is_begun_once_it_was_stopped() -> None:
    jobs = floor()
    jobs.stop()
    assert jobs.take(0) is None and not jobs.wait(1) and len(jobs.waiting) == 5


class Worker:
    def __init__(self) -> None:
        self.left = False

    def leave(self) -> None:
        self.left = True


def test_when_a_lane_fails_the_others_are_told_to_begin_nothing_more() -> None:
    stopped: list[str] = []

    def work(lane: int, _: Worker) -> int:
        if lane == 1:
            raise MeshproofError("it broke")
        return lane

    workers = [Worker(), Worker()]
    with pytest.raises(MeshproofError, match="it broke"):
        in_lanes(workers, work, lambda: stopped.append("stop"))
    assert stopped == ["stop"] and not any(it.left for it in workers), "they come to an end by themselves"


def test_an_interrupt_leaves_all_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("meshproof.prove.lanes.wait", interrupted)
    workers = [Worker(), Worker()]
    with pytest.raises(KeyboardInterrupt):
        in_lanes(workers, lambda lane, _: lane, lambda: None)
    assert all(it.left for it in workers)


class Mesh:
    """What is in force, by lane, and what was seen of it."""

    def __init__(self) -> None:
        self.in_force: dict[int, Mutant] = {}
        self.together: set[frozenset[str]] = set()
        self.checked: list[tuple[str, ...]] = []
        self.lock = Lock()
        self.meeting: Barrier | None = None
        """If given, a test waits for another one to go on at the same time."""


class Bench:
    """A lane of a mesh where a test fails when a mutant that says so is in force anywhere."""

    def __init__(self, mesh: Mesh, lane: int, broken: Mapping[str, Exception] | None = None) -> None:
        self.mesh = mesh
        self.lane = lane
        self.broken = broken or {}

    def put_in_force(self, mutant: Mutant) -> None:
        with self.mesh.lock:
            self.mesh.in_force[self.lane] = mutant
        if mutant.name in self.broken:
            raise self.broken[mutant.name]

    def test(self, mutant: Mutant) -> tuple[Cell, ...]:
        if self.mesh.meeting is not None:
            try:
                self.mesh.meeting.wait(timeout=0.5)
            except BrokenBarrierError:
                self.mesh.meeting.reset()
        with self.mesh.lock:
            self.mesh.together.add(frozenset(it.name for it in self.mesh.in_force.values()))
            return judge(mutant, [self._check(test) for test in mutant.tests])

    def mend(self, hurry: bool = False) -> str:
        with self.mesh.lock:
            self.mesh.in_force.pop(self.lane, None)
        return ""

    def ill(self, tests: Sequence[str], mutants: Sequence[Mutant]) -> list[CheckResult]:
        with self.mesh.lock:
            self.mesh.checked.append(tuple(tests))
            return [check for test in tests if (check := self._check(test)).verdict is not Verdict.CONFORM]

    def leave(self) -> None:
        raise AssertionError("nobody was interrupted")

    def seconds(self, mutant: str) -> Mapping[str, float]:
        return {"test": 0.5}

    def _check(self, test: str) -> CheckResult:
        reasons = [it.because for mutant in self.mesh.in_force.values() for it in mutant.fails if it.test == test]
        verdict = Verdict.VIOLATE if reasons else Verdict.CONFORM
        return CheckResult(f"suites/{test}", "", verdict, " ".join(reasons), 0.1)


def of(name: str, test: str, touches: Sequence[str] | None) -> Mutant:
    fails = [Expectation(test=test, because=f"{name} says so")]
    return a_mutant(name, {"test_1": "x"}, touches=touches).model_copy(update={"fails": fails})


G = of("g", "test_x.py::test_1", ["goapi"])
A = of("a", "test_x.py::test_2", ["agents"])
A2 = of("a2", "test_x.py::test_2", ["agents"])
N = of("n", "test_y.py::test_3", ["nodes"])
ALL = of("all", "test_x.py::test_1", None)


def prove(mesh: Mesh, mutants: Sequence[Mutant], **broken: Exception) -> list[Any]:
    benches = [Bench(mesh, lane, broken) for lane in range(2)]
    return list(prove_in_groups(benches, mutants, Footprints(TESTS)))


def test_mutants_that_stay_apart_are_in_force_together_and_no_others() -> None:
    mesh = Mesh()
    mesh.meeting = Barrier(2)
    rows = prove(mesh, [G, A, N, A2, ALL])
    assert {row.mutant for row in rows} == {"g", "a", "n", "a2", "all"}
    assert all(row.holds and not row.note for row in rows)
    assert any(len(names) == 2 for names in mesh.together), "two lanes met"
    assert frozenset({"all"}) in mesh.together, "it was in force alone"
    apart = [{"g", "a"}, {"g", "a2"}, {"g", "n"}, {"a", "n"}, {"a2", "n"}]
    assert all(names in apart for names in mesh.together if len(names) > 1)


def test_the_mesh_is_proven_well_file_by_file_with_nothing_in_force() -> None:
    mesh = Mesh()
    assert all(row.holds for row in prove(mesh, [G, A, N]))
    assert sorted(mesh.checked) == [("test_x.py::test_1", "test_x.py::test_2"), ("test_y.py::test_3",)] or sorted(
        mesh.checked
    ) == [("test_x.py::test_2", "test_x.py::test_1"), ("test_y.py::test_3",)]
    assert not mesh.in_force


def test_seconds_are_those_of_all_lanes() -> None:
    assert {row.phases["test"] for row in prove(Mesh(), [G, A])} == {1.0}


def test_what_could_not_be_put_in_force_beside_another_is_tried_alone() -> None:
    rows = {row.mutant: row for row in prove(Mesh(), [G, A], a=MeshproofError("not now"))}
    assert rows["g"].holds
    assert rows["a"].problem == "not now" and rows["a"].note == "proven again, alone: not now"


def test_what_cannot_be_mended_ends_the_proof_and_leaves_nothing_in_force() -> None:
    mesh = Mesh()
    with pytest.raises(NotMended, match="for good"):
        prove(mesh, [G, A, N], a=NotMended("broken for good"))
    assert not mesh.in_force


def test_what_needs_everything_is_not_begun_while_anything_else_waits() -> None:
    jobs = Floor(["all", "g", "rest"], {"all": EVERYTHING, "g": GOAPI, "rest": AGENTS}.__getitem__, 2)
    assert jobs.take(1) == "g"
    assert jobs.take(0) == "rest"
    jobs.hold(1, NOTHING)
    assert jobs.take(1) is None, "the other lane holds something"
    jobs.hold(0, NOTHING)
    assert jobs.take(0) == "all"


def test_what_needs_everything_can_come_before_all_else() -> None:
    jobs = Floor(["g", "all", "a"], {"all": EVERYTHING, "g": GOAPI, "a": AGENTS}.__getitem__, 2, alone_first=True)
    assert jobs.take(0) == "all"
    assert jobs.take(1) is None
    jobs.hold(0, NOTHING)
    assert (jobs.take(0), jobs.take(1)) == ("g", "a")
