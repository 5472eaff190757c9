"""When requests are due. The schedule does not wait for answers, so that a stall is seen by all that should have been
sent during it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import count

import numpy as np

__all__ = ["Arrivals", "starts"]

_BLOCK = 1024


class Arrivals(StrEnum):
    """How the starts lie in time."""

    POISSON = "poisson"
    """Independent of one another, as those of many users are."""
    CONSTANT = "constant"
    """Evenly spaced."""


def starts(
    arrivals: Arrivals, rate: float, *, part: float = 1.0, place: int = 0, seed: int | None = None
) -> Iterator[float]:
    """Seconds after the beginning, without end, for the `part` of `rate` requests a second that one generator makes.

    `place` is the generator's number: it moves constant starts so that those of equal parts interleave, and gives each
    generator random numbers of its own. Poisson starts of all parts together are Poisson at `rate`.
    """
    own = rate * part
    if arrivals is Arrivals.CONSTANT:
        yield from (place / rate + number / own for number in count())
        return
    random = np.random.default_rng([seed, place] if seed is not None else None)
    now = 0.0
    while True:
        for at in now + np.cumsum(random.exponential(1 / own, _BLOCK)):
            now = float(at)
            yield now
