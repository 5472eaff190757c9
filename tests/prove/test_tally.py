"""What was seen of a mutant is known at once, and kept when the proof is ended early."""

from __future__ import annotations

from meshproof.prove.matrix import Cell, Mark, Row
from meshproof.prove.tally import Tally


def row(name: str, mark: Mark = Mark.CAUGHT, problem: str = "") -> Row:
    return Row(name, "mtls", "It.", (Cell("test_x.py::test_y", mark, "VIOLATE"),), problem=problem)


def test_a_row_waits_until_the_mesh_was_proven_well() -> None:
    tally = Tally()
    tally.tried(row("a"))
    tally.tried(row("b"))
    assert [it.mutant for it in tally.waiting] == ["a", "b"]
    tally.proven(row("b"))
    assert [it.mutant for it in tally.waiting] == ["a"]
    assert [it.mutant for it in tally.done] == ["b"]


def test_a_row_that_still_waits_does_not_hold() -> None:
    tally = Tally()
    tally.tried(row("a"))
    tally.tried(row("b", Mark.MISSED, problem="it cannot be put in force"))
    tally.tried(row("c"))
    tally.proven(row("c"))
    assert [it.holds for it in tally.rows] == [False, False, True]
    assert [it.problem for it in tally.rows[:2]] == [
        "the run ended before the mesh was proven well again",
        "it cannot be put in force",
    ]
    assert [it.cells[0].mark for it in tally.rows] == [Mark.CAUGHT, Mark.MISSED, Mark.CAUGHT]


def test_what_is_tried_again_waits_again_in_its_old_place() -> None:
    tally = Tally()
    for name in ("a", "b"):
        tally.tried(row(name, Mark.MISSED))
    tally.proven(row("b", Mark.MISSED))
    tally.tried(row("a"))
    tally.proven(row("a"))
    assert not tally.waiting
    assert [(it.mutant, it.holds) for it in tally.rows] == [("a", True), ("b", False)]
