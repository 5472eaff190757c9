"""Rows go in, verdicts and exit codes come out."""

from __future__ import annotations

import pytest
from made_rows import made

from meshproof.load.judging import CanaryRun, SplitRun, split_plan, until_a_look
from meshproof.load.rows import Rows
from meshproof.load.view import View
from meshproof.verdict import Verdict
from meshproof.verdict.preconditions import Conditions
from meshproof.verdict.split import SplitPromise

FINE = Conditions(10_000)


def split(rows: Rows, conditions: Conditions = FINE, missing: tuple[str, ...] = (), **given: object) -> View:
    return SplitRun(given).view(rows, conditions, missing)


def test_a_right_split_conforms() -> None:
    found = split(made(4_000))
    assert (found.verdict, found.exit_code, found.decided) == (Verdict.CONFORM, 0, True)


def test_a_wrong_split_violates() -> None:
    found = split(made(4_000, share=0.4))
    assert (found.verdict, found.exit_code, found.decided) == (Verdict.VIOLATE, 1, True)


def test_a_decision_made_while_the_run_goes_on_stands_at_its_end() -> None:
    """These rows seem decided at 1,571, and are not at the looks at 1,550 and 1,600, but at that at 1,650."""
    rows = made(2_000, seed=2)
    assert split(rows.where(slice(0, 1_571))).verdict is Verdict.CONFORM
    assert split(rows.where(slice(0, 1_604))).verdict is Verdict.INCONCLUSIVE
    assert not split(until_a_look(rows.where(slice(0, 1_571)))).decided
    assert split(until_a_look(rows.where(slice(0, 1_660)))).decided
    assert all(split(rows.where(slice(0, 1_650 + more))).verdict is Verdict.CONFORM for more in range(0, 350, 23))


def test_few_requests_are_inconclusive_and_go_on() -> None:
    found = split(made(300))
    assert (found.verdict, found.exit_code, found.decided) == (Verdict.INCONCLUSIVE, 3, False)
    assert 100 < found.left <= 5_700


def test_the_cap_ends_a_run_without_a_verdict() -> None:
    found = split(made(1_000), margin=1, cap=1_000)
    assert (found.verdict, found.decided) == (Verdict.INCONCLUSIVE, True)
    assert "at the cap" in found.reason


@pytest.mark.parametrize(
    ("rows", "conditions", "missing", "given", "says"),
    [
        (made(4_000), Conditions(4_000, late=50), (), {}, "late or dropped"),
        (made(4_000), Conditions(4_000, dropped=50), (), {}, "late or dropped"),
        (made(4_000), Conditions(4_000, cpu=0.9), (), {}, "CPU saturated"),
        (made(4_000), Conditions(4_000, unsettled=("gateway",)), (), {}, "not settled: gateway"),
        (made(4_000), FINE, ("worker-1",), {}, "not accounted for: the last rows of worker-1 never came"),
        (made(4_000, silent=0.02), FINE, (), {}, "unattributed"),
        (made(4_000, revision="old"), FINE, (), {"revision": "new"}, "4000 of 4000 answers do not carry"),
        (Rows.of([]), Conditions(0), (), {}, "no request was answered"),
    ],
)
def test_a_broken_precondition_is_invalid_whatever_the_counts(
    rows: Rows, conditions: Conditions, missing: tuple[str, ...], given: dict[str, object], says: str
) -> None:
    found = split(rows, conditions, missing, **given)
    assert (found.verdict, found.exit_code) == (Verdict.INVALID, 4)
    assert says in found.reason


def test_the_right_revision_is_no_obstacle() -> None:
    assert split(made(4_000, revision="new"), revision="new").verdict is Verdict.CONFORM


def test_a_run_that_can_no_more_become_valid_ends() -> None:
    """With 1 % of 6,000 requests tolerated, 61 without an arm are too many whatever follows."""
    rows = made(80, silent=1.0)
    assert [split(rows.where(slice(0, number))).decided for number in (60, 61)] == [False, True]
    assert CanaryRun({"requests": 6_000}).view(rows, FINE).decided
    assert "80 requests got status 200 without x-meshproof-arm" in split(rows).warnings


def test_three_arms() -> None:
    rows = made(4_000)
    assert split(rows, weights="70,30,0", arms="v1,v2,v3").verdict is Verdict.CONFORM
    assert split(rows, weights="60,30,10", arms="v1,v2,v3").verdict is Verdict.VIOLATE


def test_the_same_canary_conforms() -> None:
    run = CanaryRun({})
    found = run.view(made(run.cap), Conditions(run.cap))
    assert (found.verdict, found.decided) == (Verdict.CONFORM, True)


def test_a_slow_canary_is_judged_at_the_end_only() -> None:
    run = CanaryRun({"margins": "p50=1.1", "requests": 6_000})
    rows = made(6_000, slower=1.3)
    early = run.view(rows.where(slice(0, 5_000)), Conditions(5_000))
    assert (early.verdict, early.decided) == (Verdict.INCONCLUSIVE, False)
    found = run.view(rows, Conditions(6_000))
    assert (found.verdict, found.decided) == (Verdict.VIOLATE, True)
    assert "p50" in found.reason


def test_a_failing_canary_ends_the_run_early() -> None:
    run = CanaryRun({})
    found = run.view(made(3_000, failing=0.05), Conditions(3_000))
    assert (found.verdict, found.decided) == (Verdict.VIOLATE, True)
    assert "errors" in found.reason


def test_margins_decide_what_is_slow() -> None:
    rows = made(4_000, slower=2.0)
    run = CanaryRun({"margins": "sample-apps", "requests": 4_000})
    assert run.view(rows, Conditions(4_000)).verdict is not Verdict.VIOLATE
    assert CanaryRun({"requests": 4_000}).view(rows, Conditions(4_000)).verdict is Verdict.VIOLATE


def test_the_plan_is_told_in_requests_and_seconds() -> None:
    told = "\n".join(SplitRun({"rate": 100.0}).plan())
    assert "1,678 requests (17 s)" in told
    assert "requests" in CanaryRun({}).plan()[0]


def test_the_plan_of_a_large_cap_is_near_the_exact_one() -> None:
    """Exact, in 13 s: CONFORM 99.82 %, 13,062 requests on average; off by 2 points: VIOLATE 99.67 %, 12,382."""
    plan = split_plan(SplitPromise((70, 30), margin=0.02, alpha=1e-4, cap=30_000), 300.0)
    assert plan.mean_requests == pytest.approx(13_062, rel=0.1)
    assert plan.bias_mean_requests == pytest.approx(12_382, rel=0.1)
    assert (plan.power > 0.99, plan.bias_power > 0.99, plan.cap) == (True, True, 30_000)


def test_the_end_is_told_with_shares_latencies_and_starts() -> None:
    told = "\n".join(split(made(4_000), Conditions(4_010, late=3, dropped=2, cpu=0.25)).lines)
    for words in ("CONFORM", "for 30.00%", "p50/p90/p99", "4,010 planned, 3 late", "2 dropped", "25% of a CPU"):
        assert words in told
