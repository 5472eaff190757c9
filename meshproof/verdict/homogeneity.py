"""Do all users meet the arms in the same proportions? Pearson's X^2 over a table of users x versions.

Pearson, Phil. Mag. 50 (1900); the null distribution is that of all tables with the same margins. Too large a value is
routing by user or connection; too small a one is more alike than chance allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2

from meshproof.verdict.arrays import Floats, Ints

__all__ = ["HomogeneityTest", "arm_table", "homogeneity_test", "windows"]

# Where the chi-squared approximation is beyond this, it is far enough from any threshold to be left as it is.
_FAR = 0.05


@dataclass(frozen=True)
class HomogeneityTest:
    """`statistic` with its p-values for so unlike and so alike; `pure` is the part of groups that met one arm only."""

    groups: int
    statistic: float
    degrees_of_freedom: int
    p_unlike: float
    p_alike: float
    pure: float


def arm_table(arm: ArrayLike, group: ArrayLike) -> Ints:
    """Counts (groups, arms) from each request's arm and group (requests,)."""
    arms, groups = np.asarray(arm), np.asarray(group)
    _, column = np.unique(arms, return_inverse=True)
    _, row = np.unique(groups, return_inverse=True)
    table = np.zeros((row.max(initial=-1) + 1, column.max(initial=-1) + 1), dtype=np.int64)
    np.add.at(table, (row, column), 1)
    return table


def windows(requests: int, number: int = 100, shortest: int = 20) -> Ints:
    """A group for each request in the order of starts: about `number` windows of equal length, none too short."""
    length = max(shortest, requests // number, 1)
    return np.arange(requests, dtype=np.int64) // length


def homogeneity_test(table: ArrayLike, alpha: float, seed: int = 0) -> HomogeneityTest:
    """Test a table (groups, arms).

    A p-value anywhere near `alpha` is not taken from the approximation but from 5/alpha random tables with the same
    margins, (1 + as extreme) / (1 + tables), so that the error rate holds (Davison & Hinkley 1997, section 4.2).
    """
    k = np.asarray(table, dtype=np.int64)
    k = k[k.sum(axis=1) > 0][:, k.sum(axis=0) > 0]
    groups, arms = k.shape
    freedom = (groups - 1) * (arms - 1)
    if min(groups, arms) < 2:
        return HomogeneityTest(groups, 0.0, 0, 1.0, 1.0, 1.0 if groups else 0.0)
    statistic = float(_pearson(k[None])[0])
    unlike, alike = float(chi2.sf(statistic, freedom)), float(chi2.cdf(statistic, freedom))
    if min(unlike, alike) < _FAR:
        drawn = _null_statistics(k, int(np.ceil(5 / alpha)), np.random.default_rng(seed))
        slack = 1e-9 * max(statistic, 1.0)
        unlike = float((1 + np.count_nonzero(drawn >= statistic - slack)) / (1 + drawn.size))
        alike = float((1 + np.count_nonzero(drawn <= statistic + slack)) / (1 + drawn.size))
    pure = float(np.mean(k.max(axis=1) == k.sum(axis=1)))
    return HomogeneityTest(groups, statistic, freedom, unlike, alike, pure)


def _pearson(tables: Ints) -> Floats:
    """X^2 of each table (..., groups, arms)."""
    rows = tables.sum(axis=-1, keepdims=True)
    expected = rows * (tables.sum(axis=-2, keepdims=True) / rows.sum(axis=-2, keepdims=True))
    return np.asarray(((tables - expected) ** 2 / expected).sum(axis=(-2, -1)), dtype=np.float64)


def _null_statistics(table: Ints, draws: int, random: np.random.Generator) -> Floats:
    """X^2 of random tables with the margins of this one: group by group, arm by arm, without replacement."""
    left = np.broadcast_to(table.sum(axis=0), (draws, table.shape[1])).copy()
    margin = table.sum(axis=0) / table.sum()
    statistic = np.zeros(draws)
    for size in table.sum(axis=1):
        wanted = np.full(draws, size)
        beyond = left.sum(axis=1)
        for arm in range(table.shape[1] - 1):
            beyond -= left[:, arm]
            taken = random.hypergeometric(left[:, arm], beyond, wanted)
            statistic += (taken - size * margin[arm]) ** 2 / (size * margin[arm])
            left[:, arm] -= taken
            wanted -= taken
        statistic += (wanted - size * margin[-1]) ** 2 / (size * margin[-1])
        left[:, -1] -= wanted
    return statistic
