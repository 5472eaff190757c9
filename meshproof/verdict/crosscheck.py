"""What the usual tests say of the final counts, for information: they hold only for a number of requests fixed
before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, power_divergence

from meshproof.verdict.arrays import as_shares

__all__ = ["CrossCheck", "cross_check"]


@dataclass(frozen=True)
class CrossCheck:
    """p-values: the exact binomial test of each arm against the rest, and the G-test of all arms together."""

    binomial: tuple[float, ...]
    g_test: float


def cross_check(counts: ArrayLike, weights: ArrayLike) -> CrossCheck:
    """The fixed-n tests for counts (arms,). The G-test leaves out an arm that is promised nothing and got nothing."""
    k = np.asarray(counts, dtype=np.int64)
    shares = as_shares(weights)
    n = int(k.sum())
    binomial = tuple(float(binomtest(int(of_arm), n, share).pvalue) for of_arm, share in zip(k, shares, strict=True))
    if np.any((shares == 0) & (k > 0)):
        return CrossCheck(binomial, 0.0)
    offered = shares > 0
    if offered.sum() < 2:
        return CrossCheck(binomial, 1.0)
    g_test = power_divergence(k[offered], n * shares[offered], lambda_="log-likelihood").pvalue
    return CrossCheck(binomial, float(g_test))
