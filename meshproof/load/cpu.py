"""How busy a load generator was: one that is saturated measures itself."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["WINDOW", "busiest"]

WINDOW = 5.0
"""Seconds. One second of collecting garbage spoils nothing; five seconds at the limit do."""


def busiest(samples: Sequence[tuple[float, float]], window: float = WINDOW) -> float:
    """The busiest `window` seconds, as a fraction of one CPU, from samples of (time, CPU seconds so far).

    Of a shorter run all of it; 0 with fewer than two samples.
    """
    if len(samples) < 2:
        return 0.0
    most, first = 0.0, 0
    for last in range(1, len(samples)):
        while first + 1 < last and samples[last][0] - samples[first + 1][0] >= window:
            first += 1
        seconds = samples[last][0] - samples[first][0]
        whole = seconds >= window or (last == len(samples) - 1 and first == 0)
        if whole and seconds > 0:
            most = max(most, (samples[last][1] - samples[first][1]) / seconds)
    return most
