"""What requests that no arm can be named for may hide."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from meshproof.verdict.arrays import Floats, Ints

__all__ = ["least_telling", "share_bounds", "worst_against_margin"]

_HALVINGS = 60


def share_bounds(counts: ArrayLike, unattributed: ArrayLike) -> Floats:
    """The least and the greatest share that each arm can have, shape (..., arms, 2): k/(n+u) and (k+u)/(n+u)."""
    k = np.asarray(counts, dtype=np.float64)
    u = np.asarray(unattributed, dtype=np.float64)[..., None]
    total = np.maximum(k.sum(axis=-1, keepdims=True) + u, 1.0)
    return np.stack([k / total, (k + u) / total], axis=-1)


def least_telling(counts: ArrayLike, unattributed: ArrayLike, shares: Floats) -> Ints:
    """The counts (..., arms) that speak least against the shares, whoever answered the unattributed requests (...).

    Each one goes to the arm that lags most behind its share. Evidence of the Dirichlet mixture is, for each
    concentration c, a sum of convex functions whose next steps are log(c + k_j / p_j), so the greedy choice is the
    least of all, and the same for every c.
    """
    k = np.array(counts, dtype=np.int64)
    left = np.broadcast_to(np.asarray(unattributed, dtype=np.int64), k.shape[:-1]).copy()
    if not left.any():
        return k
    # The highest level to which all lagging arms can be filled, then the last few requests one by one.
    low, high = np.zeros(left.shape), k.sum(axis=-1) + left + 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        fits = _missing(k, middle, shares).sum(axis=-1) <= left
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    filled = _missing(k, low, shares)
    k, left = k + filled, left - filled.sum(axis=-1)
    arms = np.arange(k.shape[-1])
    offered = shares > 0
    for _ in range(int(left.max())):
        level = np.where(offered, k / np.where(offered, shares, 1.0), np.inf)
        k += (arms == level.argmin(axis=-1)[..., None]) & (left > 0)[..., None]
        left -= left > 0
    return k


def _missing(k: Ints, level: Floats, shares: Floats) -> Ints:
    """How many requests each arm lacks to reach k / share = level."""
    wanted = np.ceil(level[..., None] * shares).astype(np.int64)
    return np.asarray(np.maximum(wanted - k, 0), dtype=np.int64)


def worst_against_margin(counts: ArrayLike, unattributed: ArrayLike) -> Ints:
    """Counts with all unattributed requests on one arm, for each arm in turn, shape (arms, ..., arms).

    Evidence against an edge is linear in the counts, so its least value is among these.
    """
    k = np.asarray(counts, dtype=np.int64)
    u = np.asarray(unattributed, dtype=np.int64)
    return np.stack([k + u[..., None] * row for row in np.eye(k.shape[-1], dtype=np.int64)])
