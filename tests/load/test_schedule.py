"""When requests are due."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from scipy.stats import kstest

from meshproof.load.schedule import Arrivals, starts


def first(number: int, arrivals: Arrivals, rate: float, **how: float | int | None) -> list[float]:
    return list(islice(starts(arrivals, rate, **how), number))  # type: ignore[arg-type]


def test_constant_starts_are_evenly_spaced() -> None:
    assert first(4, Arrivals.CONSTANT, 10) == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_constant_starts_of_equal_parts_interleave() -> None:
    parts = [first(2, Arrivals.CONSTANT, 10, part=0.5, place=place) for place in (0, 1)]
    assert sorted(parts[0] + parts[1]) == pytest.approx([0.0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize("part", [1.0, 0.25])
def test_poisson_gaps_are_exponential(part: float) -> None:
    times = first(5_000, Arrivals.POISSON, 200, part=part, seed=3)
    assert kstest(np.diff([0.0, *times]) * 200 * part, "expon").pvalue > 1e-4


def test_a_seed_repeats_a_schedule_and_each_generator_has_its_own() -> None:
    once, again, other = (first(5, Arrivals.POISSON, 10, seed=1, place=place) for place in (0, 0, 1))
    assert once == again
    assert once != other
