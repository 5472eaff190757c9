"""Did a figure change between runs, beyond its noise, and when?

The largest standardised sum over all stretches of the series, whether they end at its ends or inside, so that also a
slowdown that was mended is seen (circular binary segmentation: Olshen, Venkatraman, Lucito, Wigler, Biostatistics 5,
2004), against its permutation distribution. Summed are scores: distances from the median in robust standard deviations,
cut off at 2, so that single runs that went badly hide nothing (Huber, Robust Statistics, 1981).

When nothing changed, runs are exchangeable and every order of the values is as likely as any other, so with p = (1 +
those at least as large) / (1 + draws) a change is said wrongly with probability at most alpha, whatever the values'
distribution (Phipson & Smyth, Permutation p-values should never be zero, Stat. Appl. Genet. Mol. Biol. 9, 2010). The
parts between the found changes are looked at in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from meshproof.errors import UsageError
from meshproof.verdict.arrays import Floats, Ints

__all__ = ["SHORTEST", "Change", "change_points"]

SHORTEST = 3
"""Values on either side of a cut: one or two runs that went badly are not a change."""

_FARTHEST = 2.0
"""Of 1.5, 2, ..., 4 the one that finds both a late step and one beside a single run twenty times as long."""
_NORMAL = 1.4826
"""The standard deviation over the median distance from the median, of normal values."""
_AT_ONCE = 500


@dataclass(frozen=True)
class Change:
    """`at` is the index of the first value after the change; `before` and `after` are medians of the parts on both
    sides; `p_value` is that of the cut."""

    at: int
    before: float
    after: float
    p_value: float


def change_points(values: ArrayLike, alpha: float, *, draws: int = 4999, seed: int = 0) -> tuple[Change, ...]:
    """The changes in a series (values,), oldest first. Where nothing changed, any is found with probability <= alpha.

    Raises UsageError when alpha is below what so many draws can show.
    """
    if not 1 / (draws + 1) <= alpha < 1:
        raise UsageError("alpha is too small for the draws", seen=(alpha, draws), remedy="raise the number of draws")
    series = np.asarray(values, dtype=np.float64)
    cuts = sorted(_cuts(series, 0, alpha, draws, seed))
    edges = [0, *(at for at, _ in cuts), series.size]
    medians = [float(np.median(series[low:high])) for low, high in pairwise(edges)] if cuts else []
    return tuple(Change(at, medians[i], medians[i + 1], p_value) for i, (at, p_value) in enumerate(cuts))


def _cuts(series: Floats, offset: int, alpha: float, draws: int, seed: int) -> list[tuple[int, float]]:
    if series.size < 2 * SHORTEST or np.all(series == series[0]):
        return []
    scores = _scores(series)
    found = max(
        (float(far.max()), int(begin[far.argmax()]), length) for length, begin, far in _stretches(_sums(scores))
    )
    p_value = _p_value(found[0], scores, alpha, draws, seed)
    if p_value > alpha:
        return []
    inside = [cut for cut in (found[1], found[1] + found[2]) if 0 < cut < series.size]
    parts = zip([0, *inside], [*inside, series.size], strict=True)
    return [
        *((offset + cut, p_value) for cut in inside),
        *(cut for low, high in parts for cut in _cuts(series[low:high], offset + low, alpha, draws, seed)),
    ]


def _scores(series: Floats) -> Floats:
    """Each value's distance from the median; ranks where more than half of the values are the same."""
    away = series - np.median(series)
    spread = float(np.median(np.abs(away)))
    if not spread:
        return np.asarray(rankdata(series), dtype=np.float64)
    return np.clip(away / (_NORMAL * spread), -_FARTHEST, _FARTHEST)


def _p_value(seen: float, scores: Floats, alpha: float, draws: int, seed: int) -> float:
    """The part of random orders whose largest sum is as large. It stops early where that part is surely above alpha."""
    generator = np.random.default_rng(seed)
    drawn = larger = 0
    while drawn < draws:
        count = min(_AT_ONCE, draws - drawn)
        orders = generator.permuted(np.tile(scores, (count, 1)), axis=1)
        largest = np.max([far.max(axis=-1) for _, _, far in _stretches(_sums(orders))], axis=0)
        drawn, larger = drawn + count, larger + int(np.count_nonzero(largest >= seen - 1e-9))
        if (1 + larger) / (1 + draws) > alpha:
            break
    return (1 + larger) / (1 + drawn)


def _sums(scores: Floats) -> Floats:
    """Sums of the first 0..n scores of series (..., values), in units in which a stretch of `length` has the variance
    length * (n - length)."""
    n = scores.shape[-1]
    centred = scores - scores.mean(axis=-1, keepdims=True)
    unit = np.sqrt(np.sum(centred**2, axis=-1, keepdims=True) / (n * (n - 1)))
    start = np.zeros((*scores.shape[:-1], 1))
    return np.concatenate([start, np.cumsum(centred, axis=-1) / unit], axis=-1)


def _stretches(sums: Floats) -> Iterator[tuple[int, Ints, Floats]]:
    """For each length the stretches' beginnings, and how far their scores are from chance (..., stretches). What is
    left beside a stretch is nothing, or long enough to be a part of its own."""
    n = sums.shape[-1] - 1
    for length in range(SHORTEST, n - SHORTEST + 1):
        begin = np.arange(n - length + 1)
        rest = n - length - begin
        begin = begin[((begin == 0) | (begin >= SHORTEST)) & ((rest == 0) | (rest >= SHORTEST))]
        far = np.abs(sums[..., begin + length] - sums[..., begin]) / np.sqrt(length * (n - length))
        yield length, begin, np.asarray(far, dtype=np.float64)
