"""Three answers about a split, and INVALID when it was not measured."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from meshproof.errors import UsageError
from meshproof.verdict import Verdict
from meshproof.verdict.preconditions import Broken, Reason
from meshproof.verdict.split import SplitJudgement, SplitPromise, at_looks, judge_split

PROMISE = SplitPromise((70, 30))


def judged(share: float, requests: int, promise: SplitPromise = PROMISE) -> SplitJudgement:
    arm = (np.random.default_rng(7).random(requests) < share).astype(np.int64)
    return judge_split(at_looks(arm, 2)[0], promise)


def test_a_right_split_conforms() -> None:
    found = judged(0.30, 6_000)
    assert found.verdict is Verdict.CONFORM
    assert found.decided_at is not None and found.decided_at < 6_000
    assert found.warnings == ()


@pytest.mark.parametrize("share", [0.0, 0.35, 0.5, 0.7, 1.0])
def test_a_wrong_split_violates(share: float) -> None:
    assert judged(share, 6_000).verdict is Verdict.VIOLATE


def test_all_on_one_arm_is_seen_at_the_first_look() -> None:
    assert judged(0.0, 50).decided_at == 50


def test_too_few_requests_are_inconclusive() -> None:
    found = judged(0.30, 300)
    assert (found.verdict, found.decided_at) == (Verdict.INCONCLUSIVE, None)


def test_a_small_bias_is_called_tolerable() -> None:
    found = judged(0.32, 40_000, SplitPromise((70, 30), margin=0.05, cap=40_000))
    assert found.verdict is Verdict.VIOLATE
    assert found.warnings[0].startswith("biased but tolerable")


def test_a_change_in_mid_run_is_dated() -> None:
    random = np.random.default_rng(3)
    arm = np.concatenate([random.random(10_000) < 0.3, random.random(3_000) < 0.4]).astype(np.int64)
    found = judge_split(at_looks(arm, 2)[0], PROMISE)
    assert found.verdict is Verdict.VIOLATE
    assert found.drift is not None
    assert abs(found.drift.since_request - 10_000) <= 500
    assert found.drift.shares_since[1] == pytest.approx(0.4, abs=0.03)


def test_weights_in_any_unit_are_the_same_promise() -> None:
    assert judged(0.3, 2_000, SplitPromise((7, 3))).p_value == judged(0.3, 2_000, SplitPromise((0.7, 0.3))).p_value


def test_an_arm_without_weight_that_is_used_violates() -> None:
    counts = np.array([[35, 15, 0], [70, 29, 1]])
    assert judge_split(counts, SplitPromise((70, 30, 0))).verdict is Verdict.VIOLATE


def test_three_arms_conform() -> None:
    arm = np.random.default_rng(5).choice(3, size=6_000, p=[0.7, 0.2, 0.1])
    assert judge_split(at_looks(arm, 3)[0], SplitPromise((70, 20, 10))).verdict is Verdict.CONFORM


def test_too_many_unattributed_requests_are_invalid_and_bound_the_share() -> None:
    found = judge_split(np.array([[680, 290]]), PROMISE, unattributed=np.array([30]))
    assert found.verdict is Verdict.INVALID
    assert [one.reason for one in found.broken] == [Reason.UNATTRIBUTED]
    assert found.bounds[1] == pytest.approx((0.29, 0.32))
    assert "29.0% to 32.0%" in found.reason


def test_a_few_unattributed_requests_may_be_the_missing_ones() -> None:
    counts = np.array([[7_000, 2_720]])
    assert judge_split(counts, PROMISE).p_value < 1e-3
    assert judge_split(counts, PROMISE, unattributed=np.array([90])).p_value > judge_split(counts, PROMISE).p_value


def test_no_requests_are_invalid() -> None:
    found = judge_split(np.zeros((0, 2)), PROMISE)
    assert (found.verdict, found.broken[0].reason) == (Verdict.INVALID, Reason.NO_TRAFFIC)


def test_a_broken_precondition_is_invalid_whatever_the_counts_say() -> None:
    found = judge_split(np.array([[0, 1_000]]), PROMISE, broken=[Broken(Reason.NOT_SETTLED, "gateway pod a")])
    assert (found.verdict, found.reason) == (Verdict.INVALID, "configuration not settled: gateway pod a")


def test_usual_tests_are_given_for_information() -> None:
    found = judge_split(np.array([[690, 310]]), PROMISE)
    assert found.cross_check is not None
    assert found.cross_check.binomial[1] == binomtest(310, 1_000, 0.3).pvalue


def test_looks_count_what_was_attributed() -> None:
    counts, unknown = at_looks([0, 1, -1, 0, 1], 2, every=2)
    assert counts.tolist() == [[1, 1], [2, 1], [2, 2]]
    assert unknown.tolist() == [0, 1, 1]


@pytest.mark.parametrize("weights", [(100,), (0, 0), (-1, 2), (float("nan"), 1)])
def test_weights_that_split_nothing_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="split nothing"):
        SplitPromise(weights)


def test_counts_of_other_arms_are_refused() -> None:
    with pytest.raises(UsageError, match="do not fit"):
        judge_split(np.array([[1, 2, 3]]), PROMISE)


def test_requests_that_all_name_no_arm_are_invalid() -> None:
    found = judge_split(np.array([[0, 0]]), PROMISE, unattributed=np.array([500]))
    assert (found.verdict, found.intervals) == (Verdict.INVALID, ((0.0, 1.0), (0.0, 1.0)))
