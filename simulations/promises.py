"""A promised figure beside the measured one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest

__all__ = [
    "Measured",
    "at_least",
    "at_most",
    "exactly_at_least",
    "exactly_at_most",
    "median_at_most",
    "requests_at_most",
]

# About 25 of the tests have exactly the promised rate: with a new seed, all of them stay within intervals at this level
# in 99 of 100 runs.
LEVEL = 0.999
_Z = 3.29


@dataclass(frozen=True)
class Measured:
    """`promised` is None where a figure is only shown; `interval` at 99.9 %, None where the figure is exact."""

    setting: str
    promised: str | None
    measured: str
    interval: str
    kept: bool = True


def at_most(setting: str, promised: float, hits: ArrayLike) -> Measured:
    """A false-alarm rate. An exact test has just the promised rate, so what breaks the promise is an interval above
    it."""
    alarms, runs = int(np.sum(hits)), int(np.size(hits))
    interval = binomtest(alarms, runs).proportion_ci(LEVEL)
    shown = f"{interval.low:.3%} to {interval.high:.3%}, {runs:,} runs"
    return Measured(setting, f"<= {promised:.3%}", f"{alarms / runs:.3%}", shown, bool(interval.low <= promised))


def at_least(setting: str, promised: float | None, hits: ArrayLike) -> Measured:
    """A rate of catching or certifying: the measured figure itself has to reach the promise."""
    caught, runs = int(np.sum(hits)), int(np.size(hits))
    interval = binomtest(caught, runs).proportion_ci(LEVEL)
    shown = f"{interval.low:.3%} to {interval.high:.3%}, {runs:,} runs"
    if promised is None:
        return Measured(setting, None, f"{caught / runs:.3%}", shown)
    return Measured(setting, f">= {promised:.2%}", f"{caught / runs:.3%}", shown, caught / runs >= promised)


def exactly_at_most(setting: str, promised: float, measured: float) -> Measured:
    """A worked-out false-alarm rate."""
    return Measured(setting, f"<= {promised:.3%}", f"{measured:.4%}", "exact", measured <= promised)


def exactly_at_least(setting: str, promised: float, measured: float) -> Measured:
    """A worked-out rate of catching or certifying."""
    return Measured(setting, f">= {promised:.2%}", f"{measured:.4%}", "exact", measured >= promised)


def requests_at_most(setting: str, promised: float, requests: ArrayLike | float) -> Measured:
    """A mean number of requests; a single number is a worked-out one."""
    values = np.atleast_1d(np.asarray(requests, dtype=np.float64))
    mean = float(values.mean())
    if values.size == 1:
        return Measured(setting, f"<= {promised:,.0f} mean", f"{mean:,.0f}", "exact", mean <= promised)
    half = _Z * float(values.std(ddof=1)) / np.sqrt(values.size)
    shown = f"{mean - half:,.0f} to {mean + half:,.0f}, {values.size:,} runs"
    return Measured(setting, f"<= {promised:,.0f} mean", f"{mean:,.0f}", shown, bool(mean <= promised))


def median_at_most(setting: str, promised: float, requests: ArrayLike) -> Measured:
    """A median number of requests, infinite for runs that caught nothing; the interval is that of order statistics."""
    values = np.sort(np.asarray(requests, dtype=np.float64))
    half = _Z * np.sqrt(values.size) / 2
    low, high = (
        values[max(0, int(values.size / 2 - half))],
        values[min(values.size - 1, int(values.size / 2 + half) + 1)],
    )
    median = float(values[values.size // 2])
    shown = f"{low:,.0f} to {high:,.0f}, {values.size:,} runs"
    return Measured(setting, f"<= {promised:,.0f} median", f"{median:,.0f}", shown, median <= promised)
