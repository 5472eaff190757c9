"""Exact error rates and request numbers of a stopping rule for two arms, without simulation.

The number of canary requests is a random walk on a lattice. Its distribution is carried from look to look, and what
reaches a decision is taken out (the recursion of Armitage, McPherson & Rowe, J. R. Stat. Soc. A 132, 1969).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from meshproof.verdict.arrays import Bools, Floats, Ints

__all__ = ["Course", "course_of"]

Boundary = Callable[[int], tuple[Bools, Bools, Bools]]


@dataclass(frozen=True)
class Course:
    """How a rule ends: the probabilities (looks,) of ending in VIOLATE and CONFORM at each of `looks`, in requests."""

    looks: Ints
    violate: Floats
    conform: Floats

    @property
    def undecided(self) -> float:
        """Probability that the cap is reached without a decision."""
        return max(0.0, 1.0 - float(self.violate.sum() + self.conform.sum()))

    @property
    def mean_requests(self) -> float:
        """Mean number of requests at the end; undecided runs end at the cap."""
        return float((self.looks * (self.violate + self.conform)).sum() + self.looks[-1] * self.undecided)

    def requests(self, quantile: float) -> int:
        """The number of requests within which this part of all runs has ended."""
        ended = np.cumsum(self.violate + self.conform)
        place = int(np.searchsorted(ended, quantile))
        return int(self.looks[min(place, self.looks.size - 1)])

    def caught_within(self, requests: int) -> float:
        """Probability of VIOLATE within so many requests."""
        return float(self.violate[self.looks <= requests].sum())


def course_of(boundary: Boundary, looks: Sequence[int], share: float) -> Course:
    """The exact course when each request is the canary's with probability `share`.

    `boundary(n)` tells for k = 0..n canary requests of n: is it VIOLATE, is the lower edge refuted, is the upper one.
    An edge that was refuted once stays refuted; VIOLATE goes first.
    """
    # Rows: no edge refuted so far, the lower one, the upper one.
    alive = np.zeros((3, 1))
    alive[0, 0] = 1.0
    violate, conform, before = [], [], 0
    for n in looks:
        step = binom.pmf(np.arange(n - before + 1), n - before, share)
        alive = np.stack([np.convolve(row, step) for row in alive])
        before = n
        stop, lower, upper = boundary(n)
        violate.append(float(alive[:, stop].sum()))
        alive[:, stop] = 0.0
        both = alive[0, lower & upper].sum() + alive[1, upper].sum() + alive[2, lower].sum()
        conform.append(float(both))
        alive[0, lower & upper] = 0.0
        alive[1, upper] = 0.0
        alive[2, lower] = 0.0
        alive[1] += np.where(lower, alive[0], 0.0)
        alive[2] += np.where(upper, alive[0], 0.0)
        alive[0, lower | upper] = 0.0
    return Course(np.asarray(looks, dtype=np.int64), np.array(violate), np.array(conform))
