"""The matrix: only a failure of the named test for the named reason counts as caught."""

from __future__ import annotations

from typing import Any

import pytest

from meshproof.prove.matrix import Cell, Mark, Row, is_expected, judge, left_out, unproven
from meshproof.prove.mutants import Mutant
from meshproof.report.results import CheckResult, LeftOut
from meshproof.verdict import Verdict


def mutant(fails: list[dict[str, str]], green: list[str] | None = None) -> Mutant:
    step = {"delete": {"apiVersion": "v1", "kind": "Pod", "name": "p"}}
    content: dict[str, Any] = {"name": "m", "breaks": "It.", "property": "mtls", "steps": [step], "fails": fails}
    return Mutant.model_validate({**content, "green": green or []})


def check(test: str, verdict: Any = Verdict.VIOLATE, reason: str = "plaintext was answered") -> CheckResult:
    return CheckResult(f"suites/test_mtls.py::{test}", "", verdict, reason, 0.1)


REFUSED = {"test": "test_mtls.py::test_refused", "because": "plaintext"}


@pytest.mark.parametrize(
    ("ended", "mark"),
    [
        (check("test_refused"), Mark.CAUGHT),
        (check("test_refused", reason="no pod is ready"), Mark.OTHER_REASON),
        (check("test_refused", Verdict.CONFORM, ""), Mark.MISSED),
        (check("test_refused", LeftOut.NOT_PROVEN, "plaintext"), Mark.MISSED),
        (check("test_refused", Verdict.INVALID, "INVALID: plaintext"), Mark.OTHER_REASON),
    ],
)
def test_each_end_has_its_mark(ended: CheckResult, mark: Mark) -> None:
    (cell,) = judge(mutant([REFUSED]), [ended])
    assert cell.mark is mark
    assert cell.test == "test_mtls.py::test_refused"


def test_a_check_may_be_expected_to_measure_nothing() -> None:
    invalid = {**REFUSED, "because": "INVALID: no pod"}
    (cell,) = judge(mutant([invalid]), [check("test_refused", Verdict.INVALID, "INVALID: no pod is ready")])
    assert cell.mark is Mark.CAUGHT
    (cell,) = judge(mutant([invalid]), [check("test_refused", Verdict.VIOLATE, "INVALID: no pod")])
    assert cell.mark is Mark.OTHER_REASON


def test_every_case_has_to_fail_unless_one_is_named() -> None:
    ended = [check("test_refused[a]"), check("test_refused[b]", Verdict.CONFORM, "")]
    assert [cell.mark for cell in judge(mutant([REFUSED]), ended)] == [Mark.CAUGHT, Mark.MISSED]
    one = {**REFUSED, "test": "test_mtls.py::test_refused[a]"}
    assert [cell.mark for cell in judge(mutant([one]), ended)] == [Mark.CAUGHT, Mark.GREEN]
    both = [check("test_refused[a]"), check("test_refused[b]")]
    assert [cell.mark for cell in judge(mutant([one]), both)] == [Mark.CAUGHT, Mark.COLLATERAL]


def test_what_has_to_stay_green_is_collateral_when_it_does_not() -> None:
    with_green = mutant([REFUSED], ["test_mtls.py::test_answered"])
    fine = judge(with_green, [check("test_refused"), check("test_answered", Verdict.CONFORM, "")])
    assert [cell.mark for cell in fine] == [Mark.CAUGHT, Mark.GREEN]
    hit = judge(with_green, [check("test_refused"), check("test_answered", Verdict.INVALID, "no pod")])
    assert [cell.mark for cell in hit] == [Mark.CAUGHT, Mark.COLLATERAL]


def test_a_test_that_did_not_run_is_not_overlooked() -> None:
    cells = judge(mutant([REFUSED], ["test_mtls.py::test_answered"]), [])
    assert [cell.mark for cell in cells] == [Mark.NOT_RUN, Mark.NOT_RUN]


def row(*marks: Mark, **fields: Any) -> Row:
    cells = tuple(Cell(f"test_mtls.py::test_{number}", mark, "") for number, mark in enumerate(marks))
    return Row("m", "mtls", "It.", cells, **fields)


def test_a_row_holds_only_when_all_of_it_is_as_it_had_to_be() -> None:
    assert row(Mark.CAUGHT, Mark.GREEN, Mark.LEFT_OUT).holds
    assert not row(Mark.LEFT_OUT).holds
    for bad in (Mark.OTHER_REASON, Mark.MISSED, Mark.COLLATERAL, Mark.NOT_RUN):
        assert not row(Mark.CAUGHT, bad).holds
    assert not row(Mark.GREEN).holds
    assert not row().holds
    assert not row(Mark.CAUGHT, restored=False).holds
    assert not row(Mark.CAUGHT, problem="the command failed").holds


def test_what_no_mutant_makes_fail_is_unproven() -> None:
    tests = ["suites/test_mtls.py::test_0[a]", "suites/test_mtls.py::test_0[b]", "suites/test_mtls.py::test_1"]
    assert unproven([row(Mark.CAUGHT, Mark.MISSED)], tests) == ["test_mtls.py::test_1"]
    assert unproven([], tests) == ["test_mtls.py::test_0", "test_mtls.py::test_1"]


def test_what_this_bed_cannot_make_is_told_apart_from_what_no_mutant_makes_fail() -> None:
    tests = ["suites/test_mtls.py::test_0", "suites/test_mtls.py::test_1"]
    rows = [row(Mark.LEFT_OUT, Mark.MISSED)]
    assert (unproven(rows, tests), left_out(rows)) == (["test_mtls.py::test_1"], ["test_mtls.py::test_0"])
    assert left_out([*rows, row(Mark.CAUGHT)]) == []


@pytest.mark.parametrize(
    ("verdict", "mark"),
    [(LeftOut.NOT_PROVEN, Mark.LEFT_OUT), (Verdict.CONFORM, Mark.MISSED), (Verdict.VIOLATE, Mark.CAUGHT)],
)
def test_only_a_test_that_is_not_made_is_left_out(verdict: Any, mark: Mark) -> None:
    expected: dict[str, Any] = {**REFUSED, "may_be_left_out": True}
    (cell,) = judge(mutant([expected]), [check("test_refused", verdict)])
    assert cell.mark is mark


def test_only_the_failure_that_a_mutant_names_is_on_purpose() -> None:
    one = mutant([{**REFUSED, "test": "test_mtls.py::test_refused[a]"}])
    node = "suites/test_mtls.py::test_refused[a]"
    assert is_expected(one, node, Verdict.VIOLATE, "plaintext was answered")
    assert not is_expected(one, node, Verdict.VIOLATE, "no pod")
    assert not is_expected(one, node, Verdict.INVALID, "plaintext was answered")
    assert not is_expected(one, node.replace("[a]", "[b]"), Verdict.VIOLATE, "plaintext was answered")
    assert not is_expected(one, node, Verdict.CONFORM, "")
