"""Is every request drawn anew, as Envoy promises, or does the arm depend on the connection or on the request before?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from meshproof.verdict.homogeneity import HomogeneityTest, arm_table, homogeneity_test, windows
from meshproof.verdict.preconditions import Broken, Reason
from meshproof.verdict.runs import RunsTest, runs_test
from meshproof.verdict.verdicts import Verdict

__all__ = ["Dependence", "IndependenceJudgement", "detectable_stickiness", "judge_independence"]

_TESTS = 3
_POWER = 0.99


class Dependence(StrEnum):
    """What the requests look like instead."""

    PER_CONNECTION = "routed per connection or user"
    STICKY = "sticky"
    TOO_REGULAR = "a round robin: too good to be chance"


@dataclass(frozen=True)
class IndependenceJudgement:
    """`detectable` is the smallest stickiness (correlation of one request's arm with the next one's on the same
    connection) that this many requests would show with probability 0.99."""

    verdict: Verdict
    reason: str
    found: tuple[Dependence, ...]
    detectable: float
    runs: RunsTest
    users: HomogeneityTest
    regularity: HomogeneityTest
    broken: tuple[Broken, ...] = ()


def detectable_stickiness(requests: int, connections: int, alpha: float, share: float, power: float = _POWER) -> float:
    """The stickiness rho that the runs test shows: rho sqrt(n) = z(alpha/2) + z(1-power) s(rho).

    The observed correlation of a chain of two states has variance s^2 / n, where s^2 = a (1-a) / q + b (1-b) / p with
    the probabilities a = (1-rho) p and b = (1-rho) q of leaving the states (Anderson & Goodman, Ann. Math. Stat. 28,
    1957); `share` is p. A connection's first request tells nothing, and the test's knowledge of a connection's counts
    takes about five requests' part of its stickiness (simulated).
    """
    n = requests - connections
    kept = 1 - 5 * connections / max(requests, 1)
    if kept <= 0 or not 0 < share < 1:
        return 1.0
    rho = 0.0
    for _ in range(20):
        a, b = (1 - rho) * share, (1 - rho) * (1 - share)
        spread = np.sqrt(a * (1 - a) / (1 - share) + b * (1 - b) / share)
        rho = float(min(1.0, (norm.isf(alpha / 2) + norm.isf(1 - power) * spread) / np.sqrt(n) / kept))
    return rho


def judge_independence(
    arm: ArrayLike,
    connection: ArrayLike,
    alpha: float,
    *,
    tolerated: float = 0.2,
    broken: Sequence[Broken] = (),
) -> IndependenceJudgement:
    """Judge each request's arm and connection (or user) (requests,), given in the order of their starts.

    Three tests at alpha / 3 each: runs within connections, users x versions, and windows of consecutive starts that are
    more alike than chance allows. Requests without an arm (negative) are left out. INCONCLUSIVE when nothing was found
    but a stickiness of `tolerated` could have been missed.
    """
    arms, connections = np.asarray(arm, dtype=np.int64), np.asarray(connection)
    arms, connections = arms[arms >= 0], connections[arms >= 0]
    each = alpha / _TESTS
    runs = runs_test(arms, connections)
    users = homogeneity_test(arm_table(arms, connections), each / 2)
    regularity = homogeneity_test(arm_table(arms, windows(arms.size)), each)
    found = []
    sticky = runs.p_few <= each / 2
    # Stickiness alone makes users unlike, too; what is routed per connection leaves connections with one arm only.
    if users.p_unlike <= each / 2 and (not sticky or users.pure >= 0.5):
        found.append(Dependence.PER_CONNECTION)
    if sticky:
        found.append(Dependence.STICKY)
    if runs.p_many <= each / 2 or users.p_alike <= each / 2 or regularity.p_alike <= each:
        found.append(Dependence.TOO_REGULAR)
    missing = [*broken]
    if np.unique(arms).size < 2:
        missing.append(Broken(Reason.NO_TRAFFIC, "all requests met the same arm"))
    share = float(np.mean(arms == arms.min())) if arms.size else 0.0
    detectable = detectable_stickiness(runs.requests, runs.connections, each, share)
    verdict, reason = _verdict(missing, found, detectable, tolerated)
    return IndependenceJudgement(verdict, reason, tuple(found), detectable, runs, users, regularity, tuple(missing))


def _verdict(
    missing: Sequence[Broken], found: Sequence[Dependence], detectable: float, tolerated: float
) -> tuple[Verdict, str]:
    if missing:
        return Verdict.INVALID, "; ".join(str(one) for one in missing)
    if found:
        return Verdict.VIOLATE, "requests are not drawn independently: " + ", ".join(found)
    if detectable > tolerated:
        return Verdict.INCONCLUSIVE, f"a stickiness of {tolerated:g} could have been missed: too few requests"
    return Verdict.CONFORM, f"no dependence; a stickiness of {detectable:.3f} would have shown"
