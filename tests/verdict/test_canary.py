"""Better, same, worse, inconclusive: for each metric and over all."""

from __future__ import annotations

import numpy as np
import pytest

from meshproof.errors import UsageError
from meshproof.verdict import Verdict
from meshproof.verdict.budget import share_out
from meshproof.verdict.canary import CanaryJudgement, CanaryPromise, Comparison, judge_canary
from meshproof.verdict.preconditions import Broken, Reason

PROMISE = CanaryPromise()


def judged(
    slower: float = 1.0,
    errors: tuple[float, float] = (0.0, 0.0),
    requests: int = 14_000,
    promise: CanaryPromise = PROMISE,
    broken: tuple[Broken, ...] = (),
) -> CanaryJudgement:
    random = np.random.default_rng(11)
    canary = random.random(requests) < 0.3
    seconds = 0.005 * np.exp(0.5 * random.standard_normal(requests)) * np.where(canary, slower, 1.0)
    failed = random.random(requests) < np.where(canary, errors[1], errors[0])
    return judge_canary(canary, seconds, failed, promise, share=(0.3, 0.3), broken=broken)


def comparison(found: CanaryJudgement, metric: str) -> Comparison:
    return next(one.comparison for one in found.metrics if one.metric == metric)


def test_the_same_service_is_the_same() -> None:
    found = judged()
    assert (found.verdict, found.comparison, found.warnings) == (Verdict.CONFORM, Comparison.SAME, ())


def test_a_slower_canary_is_worse() -> None:
    found = judged(slower=1.25)
    assert (found.verdict, comparison(found, "p50")) == (Verdict.VIOLATE, Comparison.WORSE)
    assert "p50 x 1.2" in found.reason


def test_a_faster_canary_is_better() -> None:
    found = judged(slower=0.8)
    assert (found.verdict, found.comparison) == (Verdict.CONFORM, Comparison.BETTER)


def test_a_failing_canary_is_worse_although_as_fast() -> None:
    found = judged(errors=(0.0, 0.01))
    assert (found.verdict, comparison(found, "errors")) == (Verdict.VIOLATE, Comparison.WORSE)
    assert comparison(found, "p50") is Comparison.SAME


def test_slower_within_the_margin_is_a_warning() -> None:
    wide = CanaryPromise(quantiles=((0.5, 1.5), (0.9, 1.5), (0.99, 2.0)))
    found = judged(slower=1.2, promise=wide)
    assert found.verdict is Verdict.CONFORM
    assert "p50: worse than the baseline, but within the margin" in found.warnings


def test_few_requests_are_inconclusive() -> None:
    assert judged(requests=200).verdict is Verdict.INCONCLUSIVE


def test_slow_requests_are_events_of_their_own() -> None:
    found = judged(slower=1.6, promise=CanaryPromise(slow_after=0.012))
    assert comparison(found, "slow") is Comparison.WORSE


def test_intervals_hold_the_observed_ratio() -> None:
    for metric in judged(errors=(0.01, 0.02)).metrics:
        assert metric.interval[0] < metric.ratio < metric.interval[1]


def test_a_canary_that_fails_every_request_is_worse() -> None:
    found = judged(errors=(0.0, 1.0))
    assert (found.verdict, comparison(found, "errors")) == (Verdict.VIOLATE, Comparison.WORSE)


def test_a_baseline_that_fails_every_request_proves_nothing() -> None:
    found = judged(errors=(1.0, 0.0))
    assert (found.verdict, comparison(found, "p50")) == (Verdict.INCONCLUSIVE, Comparison.INCONCLUSIVE)


@pytest.mark.parametrize("to_canary", [True, False])
def test_an_arm_without_traffic_is_invalid(to_canary: bool) -> None:
    found = judge_canary([to_canary] * 9, [0.1] * 9, [False] * 9, PROMISE, share=(0.3, 0.3))
    assert (found.verdict, found.broken[0].reason) == (Verdict.INVALID, Reason.NO_TRAFFIC)


def test_a_broken_precondition_is_invalid() -> None:
    found = judged(slower=2.0, broken=(Broken(Reason.SATURATED, "95% of a CPU"),))
    assert (found.verdict, found.metrics) == (Verdict.INVALID, ())


def test_the_budget_of_all_metrics_is_the_promised_one() -> None:
    budget = CanaryPromise(slow_after=0.1).budget
    assert list(budget) == ["errors", "slow", "p50", "p90", "p99"]
    assert sum(budget.values()) == pytest.approx(1e-3)


def test_a_budget_is_shared_by_weight() -> None:
    assert share_out(0.01, {"split": 3, "tail": 1}) == pytest.approx({"split": 0.0075, "tail": 0.0025})


def test_p999_is_no_gate() -> None:
    with pytest.raises(UsageError, match="cannot be gated"):
        CanaryPromise(quantiles=((0.999, 1.5),))


def test_a_margin_below_one_is_refused() -> None:
    with pytest.raises(UsageError, match="below 1"):
        CanaryPromise(errors=0.9)


def test_a_share_of_everything_is_refused() -> None:
    with pytest.raises(UsageError, match="no share"):
        judge_canary([True], [0.1], [False], PROMISE, share=(0.3, 1.0))
