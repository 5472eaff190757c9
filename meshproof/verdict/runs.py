"""Runs: do the arms that one connection meets follow one another by chance?

Wald & Wolfowitz, On a test whether two samples are from the same population, Ann. Math. Stat. 11 (1940). Too few runs
are stickiness, too many a round robin. Exact, given each connection's counts; the normal approximation is not used,
since at 1e-3 its real error rate is up to twice the nominal one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import gammaln

from meshproof.verdict.arrays import Bools, Floats, Ints

__all__ = ["RunsTest", "runs_distribution", "runs_test"]


@dataclass(frozen=True)
class RunsTest:
    """Runs of all connections together; p-values for so few, and for so many."""

    connections: int
    requests: int
    runs: int
    expected: float
    p_few: float
    p_many: float

    @property
    def p_value(self) -> float:
        """Two-sided."""
        return min(1.0, 2 * min(self.p_few, self.p_many))


def runs_distribution(first: int, second: int) -> Floats:
    """P(R = r) for r = 0..first+second, when all orders of `first` and `second` things are equally likely.

    P(R=2m) = 2 C(a-1,m-1) C(b-1,m-1) / C(a+b,a); P(R=2m+1) = [C(a-1,m) C(b-1,m-1) + C(a-1,m-1) C(b-1,m)] / C(a+b,a).
    """
    n = first + second
    pmf = np.zeros(n + 1)
    if not first or not second:
        pmf[min(n, 1)] = 1.0
        return pmf
    r = np.arange(2, n + 1)
    low, high = r // 2 - 1, r - r // 2 - 1
    total = _log_choose(n, np.array([first]))
    ways = np.logaddexp(
        _log_choose(first - 1, low) + _log_choose(second - 1, high),
        _log_choose(first - 1, high) + _log_choose(second - 1, low),
    )
    pmf[2:] = np.exp(ways - total)
    return pmf


def runs_test(arm: ArrayLike, connection: ArrayLike) -> RunsTest:
    """Pooled over connections, from each request's arm and connection (requests,), in time order within a connection.

    With more than two arms each arm is tested against the rest, and the p-values are multiplied by their number.
    """
    arms, connections = np.asarray(arm), np.asarray(connection)
    order = np.argsort(connections, kind="stable")
    arms, connections = arms[order], connections[order]
    same = connections[1:] == connections[:-1]
    kinds = np.unique(arms)
    tests = [_one_against_rest(arms == kind, connections, same) for kind in kinds[: 1 if kinds.size <= 2 else None]]
    if not tests:
        return RunsTest(0, 0, 0, 0.0, 1.0, 1.0)
    few = min(1.0, len(tests) * min(test.p_few for test in tests))
    many = min(1.0, len(tests) * min(test.p_many for test in tests))
    worst = min(tests, key=lambda test: test.p_value)
    return RunsTest(worst.connections, worst.requests, worst.runs, worst.expected, few, many)


def _one_against_rest(chosen: Bools, connections: Ints, same: Bools) -> RunsTest:
    _, place, sizes = np.unique(connections, return_inverse=True, return_counts=True)
    ones = np.bincount(place, weights=chosen).astype(np.int64)
    runs = int(sizes.size + np.count_nonzero(same & (chosen[1:] != chosen[:-1])))
    pmf = _pooled(ones, sizes - ones)
    expected = float(np.arange(pmf.size) @ pmf)
    few, many = float(pmf[: runs + 1].sum()), float(pmf[runs:].sum())
    return RunsTest(int(sizes.size), int(sizes.sum()), runs, expected, min(1.0, few), min(1.0, many))


def _pooled(ones: Ints, others: Ints) -> Floats:
    """The distribution of the sum over connections: a product of Fourier transforms, good to about 1e-13."""
    pairs, times = np.unique(np.stack([ones, others], axis=1), axis=0, return_counts=True)
    # A connection has at most 2 min(a, b) + 1 runs, so the sum needs no more room than that.
    longest = 2 * pairs.min(axis=1) + 1
    room = int((longest * times).sum()) + 1
    size = next_fast_len(room, real=True)
    spectrum = np.ones(size // 2 + 1, dtype=np.complex128)
    for (a, b), repeated, most in zip(pairs, times, longest, strict=True):
        spectrum *= rfft(runs_distribution(int(a), int(b))[: most + 1], size) ** repeated
    return np.asarray(np.maximum(irfft(spectrum, size)[:room], 0.0), dtype=np.float64)


def _log_choose(n: int, k: Ints) -> Floats:
    inside = (k >= 0) & (k <= n)
    safe = np.where(inside, k, 0)
    return np.asarray(np.where(inside, gammaln(n + 1) - gammaln(safe + 1) - gammaln(n - safe + 1), -np.inf))
