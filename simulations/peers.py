"""The rules that the tests of Gateway API and Istio use, and ours beside them: exact, no simulation.

Gateway API, conformance/utils/weight: every share within 5 points of 500 requests, ten tries, one has to pass.
Istio, tests/integration/pilot/common/routing.go: every count within 10 of 100, tried again for 30 s, one has to pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.stats import binom, multinomial

from meshproof.verdict.planning import course_of_split
from simulations.split import NIGHTLY, PULL_REQUEST

__all__ = ["Rule", "any_alarm", "pass_rate", "peer_lines"]

# A try of 100 requests takes about 1.5 s there.
ISTIO_TRIES = 20
NIGHTS = 30


@dataclass(frozen=True)
class Rule:
    """Passes when every arm's count is within `tolerance` of `requests`, in any of `tries`."""

    name: str
    requests: int
    tolerance: int
    tries: int = 1


RULES = (
    Rule("Gateway API, one try", 500, 25),
    Rule("Gateway API, ten tries", 500, 25, 10),
    Rule("Istio, one try", 100, 10),
    Rule("Istio, 20 tries in 30 s", 100, 10, ISTIO_TRIES),
    Rule("script, within 5 of 100", 100, 5),
)


def pass_rate(rule: Rule, promised: tuple[int, ...], truth: tuple[float, ...]) -> float:
    """Probability that the rule passes; `promised` and `truth` in percent."""
    wanted = [rule.requests * share // 100 for share in promised]
    if len(promised) == 2:
        low, high = wanted[1] - rule.tolerance, wanted[1] + rule.tolerance
        once = float(binom.cdf(high, rule.requests, truth[1] / 100) - binom.cdf(low - 1, rule.requests, truth[1] / 100))
    else:
        spread = range(-rule.tolerance, rule.tolerance + 1)
        near = [
            [count + off for count, off in zip(wanted, offs, strict=False)]
            for offs in product(spread, repeat=len(promised) - 1)
        ]
        whole = [[*counts, rule.requests - sum(counts)] for counts in near]
        kept = [counts for counts in whole if abs(counts[-1] - wanted[-1]) <= rule.tolerance and min(counts) >= 0]
        once = float(multinomial.pmf(np.array(kept), rule.requests, np.asarray(truth) / 100).sum())
    return 1 - (1 - once) ** rule.tries


def any_alarm(rate: float, nights: int = NIGHTS) -> float:
    """Probability of at least one false alarm in so many nights."""
    return float(-np.expm1(nights * np.log1p(-rate)))


def peer_lines() -> list[str]:
    """A table: false alarms, and how often a wrong split passes. 70/30 is promised."""
    wrong = (35, 40, 50)
    head = f"{'rule, 70/30 promised':<42}{'false alarm':>13}{'in 30 nights':>14}"
    lines = [head + "".join(f"{f'passes {100 - w}/{w}':>16}" for w in wrong) + f"{'requests':>12}"]
    for rule in RULES:
        alarm = 1 - pass_rate(rule, (70, 30), (70, 30))
        passes = [pass_rate(rule, (70, 30), (100 - w, w)) for w in wrong]
        shown = "".join(f"{rate:>16.4%}" for rate in passes)
        lines.append(f"{rule.name:<42}{alarm:>13.4%}{any_alarm(alarm):>14.2%}{shown}{rule.requests:>12,}")
    for promise, name in ((PULL_REQUEST, "meshproof, 5 points, 1e-3"), (NIGHTLY, "meshproof, 3 points, 1e-4")):
        good = course_of_split(promise, 0.3)
        alarm = float(good.violate.sum())
        courses = [course_of_split(promise, w / 100) for w in wrong]
        shown = "".join(f"{course.conform.sum():>16.4%}" for course in courses)
        lines.append(f"{name:<42}{alarm:>13.4%}{any_alarm(alarm):>14.2%}{shown}{good.mean_requests:>12,.0f}")
    lines.append("")
    lines.append(f"{'Istio, own splits, one try':<42}{'false alarm':>13}{'in 30 nights':>14}")
    for split in ((50, 25, 25), (80, 10, 10), (50, 50), (80, 20)):
        alarm = 1 - pass_rate(RULES[2], split, split)
        lines.append(f"{'/'.join(map(str, split)):<42}{alarm:>13.4%}{any_alarm(alarm):>14.2%}")
    return lines
