"""A split that was right and changed in mid-run: the e-process, started anew again and again.

A mixture of restarts, as in e-detectors: Shin, Ramdas & Rinaldo, E-detectors: a nonparametric framework for sequential
change detection (arXiv 2203.03532). Later starts know nothing of the good requests before the change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from meshproof.verdict.arrays import Floats, Ints
from meshproof.verdict.attribution import least_telling
from meshproof.verdict.mixture import log_evidence

__all__ = ["RESTART_EVERY", "Drift", "log_drift_evidence", "restart_looks", "strongest_restart"]

RESTART_EVERY = 500


@dataclass(frozen=True)
class Drift:
    """Where the counts speak most for a change: after how many requests, and each arm's share since then."""

    since_request: int
    shares_since: tuple[float, ...]
    log_evidence: float


def restart_looks(totals: ArrayLike, every: int = RESTART_EVERY) -> Ints:
    """The looks, as indices into `totals` (requests so far at each look), at which a new process starts."""
    passed = np.asarray(totals, dtype=np.int64) // every
    return np.flatnonzero(np.diff(passed, prepend=0) > 0)


def log_drift_evidence(
    cumulative: ArrayLike, shares: Floats, starts: Sequence[int] | Ints, unattributed: ArrayLike = 0
) -> Floats:
    """log of sum over j of w_j E^(j) at every look, for cumulative counts (..., looks, arms); result (..., looks).

    E^(j) starts at the j-th of the looks `starts`, is 1 before, and weighs w_j = 1/(j (j+1)).
    """
    k = np.asarray(cumulative, dtype=np.int64)
    u = np.broadcast_to(np.asarray(unattributed, dtype=np.int64), k.shape[:-1])
    started = np.searchsorted(np.asarray(starts), np.arange(k.shape[-2]), side="right")
    # All processes that are yet to start weigh 1/(started + 1) together.
    evidence = np.broadcast_to(-np.log(started + 1.0), k.shape[:-1]).copy()
    for j, start in enumerate(starts, start=1):
        since = k[..., start:, :] - k[..., start : start + 1, :]
        unknown = u[..., start:] - u[..., start : start + 1]
        grown = log_evidence(least_telling(since, unknown, shares), shares) - np.log(j * (j + 1))
        evidence[..., start:] = np.logaddexp(evidence[..., start:], grown)
    return evidence


def strongest_restart(cumulative: ArrayLike, shares: Floats, starts: Sequence[int] | Ints) -> Drift | None:
    """The start that explains the counts (looks, arms) best; None when there is none with requests after it."""
    k = np.asarray(cumulative, dtype=np.int64)
    found: list[Drift] = []
    for start in starts:
        since = k[-1] - k[start]
        if since.sum() > 0:
            share = tuple(float(value) for value in since / since.sum())
            found.append(Drift(int(k[start].sum()), share, float(log_evidence(since, shares))))
    return max(found, key=lambda drift: drift.log_evidence, default=None)
