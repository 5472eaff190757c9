"""The array types that the statistics speak in."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meshproof.errors import UsageError

__all__ = ["Bools", "Floats", "Ints", "as_shares"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def as_shares(weights: ArrayLike) -> Floats:
    """Weights, in any unit, as shares that add up to 1.

    Raises UsageError for fewer than two arms, a negative weight, or nothing but zeros.
    """
    values = np.asarray(weights, dtype=np.float64)
    if values.ndim != 1 or values.size < 2 or not np.all(np.isfinite(values)) or values.min() < 0 or values.sum() <= 0:
        remedy = "give a weight of 0 or more for each of at least two arms, like 70 30"
        raise UsageError("these weights split nothing", seen=values.tolist(), remedy=remedy)
    return np.asarray(values / values.sum(), dtype=np.float64)
