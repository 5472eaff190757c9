"""Latency quantiles of two arms under the same load at the same time.

Envoy draws the arm of each request at random, so what disturbs one arm disturbs the other, and the draw itself is the
only randomness that the test needs. It may be applied whenever the run ended by the split alone, never by a latency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom, hypergeom

from meshproof.verdict.arrays import Floats

__all__ = ["TailTest", "quantile_interval", "ratio_interval", "tail_test"]


@dataclass(frozen=True)
class TailTest:
    """p-values (...) for a canary so slow and so fast, given how many of the slowest requests are its."""

    p_slower: Floats
    p_faster: Floats


def tail_test(baseline: ArrayLike, canary: ArrayLike, quantile: float, ratio: float = 1.0) -> TailTest:
    """Is the canary slower, or faster, than `ratio` times the baseline? Latencies (..., requests) of each arm.

    Of the n pooled requests, the canary's divided by `ratio`, take the slowest (1-q) n. When the canary is exactly
    `ratio` times the baseline, its number among them is hypergeometric, whatever the latencies are: Fisher's exact test
    on the pooled quantile (Mood's test, Ann. Math. Stat. 25, 1954, for other quantiles than the median). Ties at the
    threshold are all taken.
    """
    slow = np.asarray(canary, dtype=np.float64) / ratio
    pooled = np.concatenate([np.asarray(baseline, dtype=np.float64), slow], axis=-1)
    n, n_canary = pooled.shape[-1], slow.shape[-1]
    wanted = max(1, int(np.ceil(round((1 - quantile) * n, 9))))
    threshold = np.partition(pooled, n - wanted, axis=-1)[..., n - wanted, None]
    taken = np.count_nonzero(pooled >= threshold, axis=-1)
    of_canary = np.count_nonzero(slow >= threshold, axis=-1)
    return TailTest(
        np.asarray(hypergeom.sf(of_canary - 1, n, n_canary, taken), dtype=np.float64),
        np.asarray(hypergeom.cdf(of_canary, n, n_canary, taken), dtype=np.float64),
    )


def quantile_interval(latencies: ArrayLike, quantile: float, alpha: float) -> tuple[Floats, Floats]:
    """Lower and upper end (...) for a quantile of latencies (..., requests), without assumptions on their distribution.

    Order statistics at binomial ranks (David & Nagaraja, Order Statistics, 2003, section 7.1). With too few requests
    the ends are 0 and infinity.
    """
    ordered = np.sort(np.asarray(latencies, dtype=np.float64), axis=-1)
    n = ordered.shape[-1]
    lower = int(binom.ppf(alpha / 2, n, quantile))
    upper = int(binom.isf(alpha / 2, n, quantile)) + 1
    open_end = np.full(ordered.shape[:-1], np.inf)
    return (
        np.asarray(ordered[..., lower - 1] if lower >= 1 else np.zeros_like(open_end), dtype=np.float64),
        np.asarray(ordered[..., upper - 1] if upper <= n else open_end, dtype=np.float64),
    )


def ratio_interval(baseline: ArrayLike, canary: ArrayLike, quantile: float, alpha: float) -> tuple[Floats, Floats]:
    """The canary's quantile over the baseline's, lower and upper end (...): alpha / 2 for the interval of each arm."""
    base_low, base_high = quantile_interval(baseline, quantile, alpha / 2)
    low, high = quantile_interval(canary, quantile, alpha / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return low / base_high, np.where(base_low > 0, high / base_low, np.inf)
