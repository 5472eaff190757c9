"""Errors and slow requests: whose are they? Judged by their arms alone, whatever the load did over time.

Conditioning on the events, Lindon & Malek 2022 (arXiv 2011.03567, inhomogeneous Bernoulli processes): when the canary
is no worse, each event is its with the probability of the split, at good times and at bad ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincc, betaln
from scipy.stats import beta

from meshproof.verdict.arrays import Floats
from meshproof.verdict.confidence import confidence_sequence

__all__ = ["log_excess", "rate_upper_bound", "ratio_interval_of_events", "share_at_ratio"]

# Beta(3, 7) for a canary with 30 %.
CONCENTRATION = 10.0


def share_at_ratio(share: ArrayLike, ratio: ArrayLike) -> Floats:
    """The canary's part of the events when its rate is `ratio` times the baseline's: w r / (w r + 1 - w)."""
    w, r = np.asarray(share, dtype=np.float64), np.asarray(ratio, dtype=np.float64)
    return np.asarray(w * r / (w * r + 1 - w), dtype=np.float64)


def log_excess(canary_events: ArrayLike, events: ArrayLike, share: ArrayLike) -> Floats:
    """log of the evidence that more than `share` of the events are the canary's; all shapes broadcast.

    The mixture of p^k (1-p)^(n-k) / (w^k (1-w)^(n-k)) over Beta(c w, c (1-w)), cut off below w: a supermartingale for
    every true part of at most w.
    """
    k = np.asarray(canary_events, dtype=np.float64)
    n = np.asarray(events, dtype=np.float64)
    w = np.asarray(share, dtype=np.float64)
    a, b = CONCENTRATION * w, CONCENTRATION * (1 - w)
    with np.errstate(divide="ignore"):
        beyond = np.log(betaincc(a + k, b + n - k, w)) - np.log(betaincc(a, b, w))
    gained = betaln(a + k, b + n - k) - betaln(a, b) + beyond
    return np.asarray(gained - k * np.log(w) - (n - k) * np.log1p(-w), dtype=np.float64)


def rate_upper_bound(events: int, requests: int, alpha: float) -> float:
    """The rate that is exceeded with probability at most alpha (Clopper & Pearson, Biometrika 26, 1934, one-sided)."""
    return float(beta.isf(alpha, events + 1, requests - events)) if events < requests else 1.0


def ratio_interval_of_events(
    canary_events: int, events: int, share: tuple[float, float], alpha: float
) -> tuple[float, float]:
    """The canary's rate over the baseline's, at all times at once: the confidence sequence of its part of the events,
    as odds over those of its share of the requests, whose ends are `share`."""
    low, high = confidence_sequence(np.array([events - canary_events, canary_events]), alpha)[1]
    odds_low = low / (1 - low) if low < 1 else np.inf
    odds_high = high / (1 - high) if high < 1 else np.inf
    return float(odds_low * (1 - share[1]) / share[1]), float(odds_high * (1 - share[0]) / share[0])
