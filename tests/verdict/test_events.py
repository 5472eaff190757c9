"""Whose errors are they?"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, binom, binomtest

from meshproof.verdict.events import log_excess, rate_upper_bound, ratio_interval_of_events, share_at_ratio


def test_a_ratio_of_rates_is_a_share_of_events() -> None:
    assert share_at_ratio(0.3, [1.0, 1.25, 2.0, 5.0]) == pytest.approx([0.3, 0.349, 0.462, 0.682], abs=5e-4)


def test_it_is_the_likelihood_averaged_over_worse_canaries() -> None:
    def likelihood_ratio(p: float) -> float:
        return float((p / 0.3) ** 9 * ((1 - p) / 0.7) ** 6 * beta.pdf(p, 3, 7) / beta.sf(0.3, 3, 7))

    assert np.exp(log_excess(9, 15, 0.3)) == pytest.approx(quad(likelihood_ratio, 0.3, 1)[0], rel=1e-8)


def test_its_mean_is_one_at_the_share_and_less_below() -> None:
    k = np.arange(61)
    evidence = np.exp(log_excess(k, 60, 0.3))
    assert evidence @ binom.pmf(k, 60, 0.3) == pytest.approx(1.0, rel=1e-9)
    assert evidence @ binom.pmf(k, 60, 0.2) < 0.5


def test_the_bound_on_a_rate_is_clopper_and_pearsons() -> None:
    expected = binomtest(4, 900, alternative="less").proportion_ci(0.99).high
    assert rate_upper_bound(4, 900, 0.01) == pytest.approx(expected)


def test_the_interval_of_a_ratio_holds_the_observed_one() -> None:
    low, high = ratio_interval_of_events(60, 130, (0.3, 0.3), 0.05)
    assert low < (60 / 0.3) / (70 / 0.7) < high
    assert ratio_interval_of_events(0, 0, (0.3, 0.3), 0.05) == (0.0, np.inf)
