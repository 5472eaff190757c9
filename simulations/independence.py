"""Nights of requests on connections: drawn anew, sticky, by connection, in turn."""

from __future__ import annotations

import numpy as np

from meshproof.verdict.arrays import Ints
from meshproof.verdict.independence import Dependence, detectable_stickiness, judge_independence
from meshproof.verdict.runs import runs_test
from simulations.promises import Measured, at_least, at_most

__all__ = ["dependent", "independent"]

SHARES = (0.7, 0.3)


def drawn(random: np.random.Generator, requests: int, shares: tuple[float, ...] = SHARES) -> Ints:
    """An arm for each request, as Envoy draws it."""
    return random.choice(len(shares), size=requests, p=shares)


def sticky(random: np.random.Generator, connection: Ints, rho: float) -> Ints:
    """An arm for each request that repeats the one before on its connection with probability rho, else is drawn
    anew."""
    arm = drawn(random, connection.size)
    repeats = random.random(connection.size) < rho
    last: dict[int, int] = {}
    for place, of in enumerate(connection.tolist()):
        if repeats[place] and of in last:
            arm[place] = last[of]
        last[of] = int(arm[place])
    return arm


def independent(random: np.random.Generator, scale: float) -> list[Measured]:
    """A/A: every request drawn anew; all three tests together."""
    lines = []
    settings = [("20 connections", 20, SHARES), ("200 connections", 200, SHARES), ("three arms", 20, (0.7, 0.2, 0.1))]
    for name, connections, shares in settings:
        # Judged for the smaller alpha, whose p-values are the finer ones.
        fractions = []
        for _ in range(int(2_000 * scale)):
            connection = random.integers(0, connections, 2_000)
            judged = judge_independence(drawn(random, 2_000, shares), connection, 0.01)
            users, regular = judged.users, judged.regularity
            two_sided = min(judged.runs.p_few, judged.runs.p_many, users.p_unlike, users.p_alike)
            fractions.append(min(2 * two_sided, regular.p_alike) * 3)
        lines += [
            at_most(f"{name}, 2,000 requests, alpha {alpha:g}", alpha, np.array(fractions) <= alpha)
            for alpha in (0.05, 0.01)
        ]
    connection = np.arange(500) % 10
    p_values = np.array([runs_test(drawn(random, 500), connection).p_value for _ in range(int(10_000 * scale))])
    lines += [
        at_most(f"runs alone, 10 connections of 50, alpha {alpha:g}", alpha, p_values <= alpha)
        for alpha in (0.05, 0.01, 1e-3)
    ]
    return lines


def dependent(random: np.random.Generator, scale: float) -> list[Measured]:
    """Requests that are not drawn anew are caught, and told apart."""
    lines, runs = [], int(300 * scale)
    for requests in (1_000, 5_000):
        connection = random.integers(0, 20, requests)
        rho = detectable_stickiness(requests, 20, 1e-3 / 3, SHARES[0])
        found = [judge_independence(sticky(random, connection, rho), connection, 1e-3).found for _ in range(runs)]
        setting = f"stickiness {rho:.3f}, called detectable with {requests:,} requests, alpha 1e-3"
        lines.append(at_least(setting, 0.99, [bool(one) for one in found]))
    connection = random.integers(0, 50, 2_000)
    by_connection, in_turn = [], []
    for _ in range(runs // 4):
        arm = drawn(random, 50)
        arm[:2] = (0, 1)
        by_connection.append(judge_independence(arm[connection], connection, 1e-3).found)
        turn = np.resize([0, 0, 1, 0, 0, 1, 0, 0, 1, 0], 2_000)
        in_turn.append(judge_independence(turn, random.integers(0, 50, 2_000), 1e-3).found)
    told = [Dependence.PER_CONNECTION in one for one in by_connection]
    lines.append(at_least("routed per connection, 50 connections, alpha 1e-3", 0.99, told))
    told = [Dependence.TOO_REGULAR in one for one in in_turn]
    lines.append(at_least("one round robin for all connections, alpha 1e-3", 0.99, told))
    return lines
