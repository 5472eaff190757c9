"""Closeness is certified by likelihood ratios that are fair at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from meshproof.verdict.equivalence import log_closeness

K = np.arange(301)
COUNTS = np.stack([300 - K, K], axis=-1)


@pytest.mark.parametrize(("edge", "side"), [(0.25, 0), (0.35, 1)])
def test_evidence_against_an_edge_has_mean_one_at_that_edge(edge: float, side: int) -> None:
    evidence = np.exp(log_closeness(COUNTS, [0.7, 0.3], 0.05)[:, 1, side])
    assert evidence @ binom.pmf(K, 300, edge) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(("truth", "side"), [(0.2, 0), (0.4, 1)])
def test_beyond_the_edge_its_mean_is_less(truth: float, side: int) -> None:
    evidence = np.exp(log_closeness(COUNTS, [0.7, 0.3], 0.05)[:, 1, side])
    assert evidence @ binom.pmf(K, 300, truth) < 0.5


def test_a_bet_on_the_promise_is_the_plain_likelihood_ratio() -> None:
    expected = binom.logpmf(100, 300, 0.3) - binom.logpmf(100, 300, 0.35)
    assert log_closeness([200, 100], [0.7, 0.3], 0.05, (0.0,))[1, 1] == pytest.approx(expected)


def test_an_edge_of_one_arm_is_the_opposite_edge_of_the_other() -> None:
    close = log_closeness(COUNTS, [0.7, 0.3], 0.05)
    assert close[:, 0, ::-1] == pytest.approx(close[:, 1])


def test_nothing_lies_beyond_an_edge_below_zero() -> None:
    assert log_closeness([99, 1], [0.98, 0.02], 0.05)[1, 0] == np.inf
