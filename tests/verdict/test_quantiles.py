"""Quantiles of two arms, exact and without assumptions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, fisher_exact

from meshproof.verdict.quantiles import quantile_interval, ratio_interval, tail_test


def test_the_tail_test_is_fishers_exact_test() -> None:
    random = np.random.default_rng(1)
    stable, new = random.exponential(size=700), random.exponential(1.2, size=300)
    threshold = np.sort(np.concatenate([stable, new]))[-100]
    slow = [np.count_nonzero(arm >= threshold) for arm in (new, stable)]
    table = np.array([[slow[0], 300 - slow[0]], [slow[1], 700 - slow[1]]])
    found = tail_test(stable, new, 0.9)
    assert found.p_slower == pytest.approx(fisher_exact(table, alternative="greater").pvalue)
    assert found.p_faster == pytest.approx(fisher_exact(table, alternative="less").pvalue)


def test_a_canary_at_the_ratio_is_no_news() -> None:
    latencies = np.random.default_rng(2).exponential(size=1_000)
    assert tail_test(latencies[:700], 1.25 * latencies[700:], 0.5, 1.25) == tail_test(
        latencies[:700], latencies[700:], 0.5
    )


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
def test_a_much_slower_canary_is_seen_at_every_quantile(quantile: float) -> None:
    latencies = np.random.default_rng(3).exponential(size=4_000)
    found = tail_test(latencies[:2_800], 3 * latencies[2_800:], quantile)
    assert found.p_slower < 1e-6 and found.p_faster > 0.99


def test_ties_at_the_threshold_are_all_taken() -> None:
    assert tail_test(np.ones(70), np.ones(30), 0.9).p_slower == pytest.approx(1.0)


def test_many_nights_at_once_are_as_one_by_one() -> None:
    nights = np.random.default_rng(4).exponential(size=(3, 200))
    together = tail_test(nights[:, :140], nights[:, 140:], 0.9).p_slower
    assert together[1] == tail_test(nights[1, :140], nights[1, 140:], 0.9).p_slower


def test_ranks_of_the_interval_are_binomial() -> None:
    low, high = quantile_interval(np.arange(1, 901), 0.99, 0.05)
    assert binom.cdf(low - 1, 900, 0.99) <= 0.025 < binom.cdf(low, 900, 0.99)
    assert binom.sf(high - 1, 900, 0.99) <= 0.025 < binom.sf(high - 2, 900, 0.99)


def test_too_few_requests_leave_an_interval_open() -> None:
    assert quantile_interval(np.arange(1, 51), 0.99, 0.05)[1] == np.inf


def test_the_interval_of_a_ratio_scales_with_the_canary() -> None:
    random = np.random.default_rng(5)
    stable, new = random.exponential(size=900), random.exponential(size=400)
    low, high = ratio_interval(stable, new, 0.5, 0.05)
    assert ratio_interval(stable, 2 * new, 0.5, 0.05) == pytest.approx((2 * low, 2 * high))
    assert low < 1 < high
