"""An interval for each arm's share that holds at all times at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from meshproof.verdict.arrays import Floats
from meshproof.verdict.mixture import log_evidence

__all__ = ["confidence_sequence"]

_TINY = 1e-9
_HALVINGS = 32


def confidence_sequence(counts: ArrayLike, alpha: float, unattributed: ArrayLike = 0) -> Floats:
    """Lower and upper end for every arm at every look, shape (..., arms, 2), from counts (..., arms).

    The shares p with E_n(p) < 1/alpha (Lindon & Malek 2022, section 3), arm against rest; with more than two arms each
    has alpha / arms. With probability 1 - alpha the true shares are inside at all looks at once. Unattributed requests
    (...) widen both ends.
    """
    k = np.asarray(counts, dtype=np.float64)
    u = np.broadcast_to(np.asarray(unattributed, dtype=np.float64), k.shape[:-1])[..., None]
    n = np.broadcast_to(k.sum(axis=-1, keepdims=True) + u, k.shape)
    arms = k.shape[-1]
    threshold = -np.log(alpha if arms == 2 else alpha / arms)
    outside = np.broadcast_to([_TINY, 1 - _TINY], (*k.shape, 2))
    ends = _ends(np.stack([k, k + u], axis=-1), n[..., None], threshold, outside)
    return np.where(ends <= _TINY, 0.0, np.where(ends >= 1 - _TINY, 1.0, ends))


def _ends(k: Floats, n: Floats, threshold: float, outside: Floats) -> Floats:
    """Between the observed share, which is inside, and a place that is probably outside: where the evidence crosses."""
    counts = np.stack([n - k, k], axis=-1)

    def refuted(p: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        return np.asarray(log_evidence(counts, np.stack([1 - p, p], axis=-1)) >= threshold)

    far = outside.copy()
    near = np.clip(k / np.maximum(n, 1), _TINY, 1 - _TINY)
    never = ~refuted(far)
    for _ in range(_HALVINGS):
        middle = (far + near) / 2
        out = refuted(middle)
        far, near = np.where(out, middle, far), np.where(out, near, middle)
    return np.asarray(np.where(never, outside, far), dtype=np.float64)
