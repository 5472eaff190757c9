"""The lattice gives exactly what playing all games would give."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from meshproof.verdict.arrays import Bools
from meshproof.verdict.lattice import course_of


def boundary(n: int) -> tuple[Bools, Bools, Bools]:
    """VIOLATE from 4 on; the lower edge is refuted by two canary requests, the upper one by two of the baseline."""
    k = np.arange(n + 1)
    return k >= 4, k >= 2, n - k >= 2


def test_every_sequence_ends_as_the_lattice_says() -> None:
    p, looks = 0.4, [1, 2, 4, 6]
    ended = {("violate", n): 0.0 for n in looks} | {("conform", n): 0.0 for n in looks}
    for game in product((0, 1), repeat=6):
        lower = upper = False
        for n in looks:
            k = sum(game[:n])
            violate, low, high = (row[k] for row in boundary(n))
            lower, upper = lower or low, upper or high
            if violate or (lower and upper):
                ended["violate" if violate else "conform", n] += p ** sum(game) * (1 - p) ** (6 - sum(game))
                break
    course = course_of(boundary, looks, p)
    assert course.violate == pytest.approx([ended["violate", n] for n in looks])
    assert course.conform == pytest.approx([ended["conform", n] for n in looks])
    assert course.undecided == pytest.approx(1 - sum(ended.values()))


def test_request_numbers_follow_from_the_ends() -> None:
    course = course_of(boundary, [1, 2, 4, 6], 0.4)
    ends = course.violate + course.conform
    assert course.mean_requests == pytest.approx(ends @ [1, 2, 4, 6] + 6 * course.undecided)
    assert course.requests(float(ends[:3].sum()) - 1e-9) == 4
    assert course.caught_within(4) == pytest.approx(float(course.violate[:3].sum()))
