"""Requests that name no arm may have been anybody's."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from meshproof.verdict.arrays import Ints
from meshproof.verdict.attribution import least_telling, share_bounds, worst_against_margin
from meshproof.verdict.equivalence import log_closeness
from meshproof.verdict.mixture import log_evidence


def allocations(counts: list[int], unknown: int) -> Ints:
    given = [one for one in product(range(unknown + 1), repeat=len(counts)) if sum(one) == unknown]
    return np.asarray(np.array(counts) + np.array(given), dtype=np.int64)


def test_bounds_are_those_of_all_or_nothing() -> None:
    assert share_bounds([690, 300], 10)[1] == pytest.approx([0.30, 0.31])


@pytest.mark.parametrize("counts", [[10, 9, 1], [0, 0, 30], [40, 20, 10], [3, 3, 3]])
def test_no_allocation_tells_less_than_the_least_telling_one(counts: list[int]) -> None:
    shares = np.array([0.6, 0.3, 0.1])
    everywhere = log_evidence(allocations(counts, 7), shares)
    assert log_evidence(least_telling(counts, 7, shares), shares) == pytest.approx(everywhere.min(), abs=1e-9)


def test_no_allocation_speaks_less_against_an_edge() -> None:
    shares = np.array([0.6, 0.3, 0.1])
    everywhere = log_closeness(allocations([40, 20, 10], 7), shares, 0.05).min(axis=0)
    assert log_closeness(worst_against_margin([40, 20, 10], 7), shares, 0.05).min(axis=0) == pytest.approx(everywhere)


def test_an_arm_without_weight_is_given_nothing() -> None:
    assert least_telling([7, 2, 0], 3, np.array([0.7, 0.3, 0.0]))[2] == 0
