"""Evidence of many nights: products of e-values, with a mean of one when nothing is wrong."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom

from meshproof.errors import UsageError
from meshproof.verdict.mixture import log_evidence
from meshproof.verdict.nights import evidence_of_a_change, evidence_over_nights, first_night_refuted

SHARES = [0.7, 0.3]
EARLY, LATE = 5, 12
"""Requests after which the nights below stop."""


def test_evidence_of_nights_is_multiplied() -> None:
    assert evidence_over_nights([math.log(2), math.log(0.5), math.log(30)]) == pytest.approx(math.log(30))
    assert evidence_over_nights([]) == 0


@pytest.mark.parametrize("combined", [evidence_over_nights, lambda logs: evidence_of_a_change(logs)[-1]])
def test_its_mean_is_one_when_nothing_is_wrong_and_each_night_stops_when_it_likes(combined: object) -> None:
    """All that can happen in three nights: each stops after five requests when those suffice, else after twelve, and
    there is no third night when the first two look bad."""
    assert callable(combined)
    ends = [
        (float(chance), float(log_evidence([EARLY - k, k], SHARES)))
        for k, chance in enumerate(binom.pmf(range(EARLY + 1), EARLY, 0.3))
        if k >= 3
    ]
    ends += [
        (
            float(binom.pmf(k, EARLY, 0.3) * binom.pmf(more, LATE - EARLY, 0.3)),
            float(log_evidence([LATE - k - more, k + more], SHARES)),
        )
        for k in range(3)
        for more in range(LATE - EARLY + 1)
    ]
    assert sum(chance for chance, _ in ends) == pytest.approx(1)
    mean = 0.0
    for (first, a), (second, b) in itertools.product(ends, ends):
        if a + b > 1:
            mean += first * second * math.exp(combined([a, b]))
        else:
            mean += sum(first * second * third * math.exp(combined([a, b, c])) for third, c in ends)
    assert mean == pytest.approx(1, rel=1e-9)


def test_a_bias_after_a_good_year_is_seen_although_the_product_is_not() -> None:
    year, biased = [-1.0] * 365, [3.0] * 7
    assert evidence_over_nights(year + biased) < -300
    assert first_night_refuted(year + biased, 1e-3) == 365 + 7
    assert first_night_refuted(year, 1e-3) is None


def test_a_bias_from_the_first_night_on_costs_the_weight_of_the_first_start() -> None:
    nights = [2.0] * 6
    expected = [
        math.log(sum(math.exp(2.0 * (night - j)) / ((j + 1) * (j + 2)) for j in range(night)) + 1 / (night + 1))
        for night in range(1, 7)
    ]
    assert evidence_of_a_change(nights) == pytest.approx(expected)


def test_what_was_refuted_once_stays_so() -> None:
    assert first_night_refuted([8.0, 4.0, -50.0, -50.0], 1e-3) == 1


def test_an_impossible_request_refutes_for_good_and_a_lost_bet_is_not_won_back() -> None:
    assert evidence_over_nights([-1.0, math.inf, -2.0]) == math.inf
    assert evidence_over_nights([-math.inf, math.inf]) == -math.inf


def test_histories_at_once_are_as_one_by_one() -> None:
    logs = np.random.default_rng(1).normal(0, 2, (4, 9))
    assert np.allclose(evidence_of_a_change(logs)[2], evidence_of_a_change(logs[2]))


def test_no_nights_refute_nothing() -> None:
    assert first_night_refuted([], 0.05) is None


def test_a_night_without_a_figure_is_refused() -> None:
    with pytest.raises(UsageError, match="no number"):
        evidence_over_nights([0.1, math.nan])
