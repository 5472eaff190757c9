"""Nights of a canary beside its baseline: A/A, slower, faster, failing, at the very margin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from meshproof.verdict.arrays import Bools, Floats
from meshproof.verdict.canary import CanaryJudgement, CanaryPromise, Comparison, judge_canary
from meshproof.verdict.planning import plan_canary
from meshproof.verdict.quantiles import ratio_interval
from simulations.promises import Measured, at_least, at_most

__all__ = ["coverage", "different", "margins", "same"]

SHARE = 0.3
REQUESTS = 12_000


@dataclass(frozen=True)
class Night:
    """Requests in the order of their starts."""

    is_canary: Bools
    seconds: Floats
    failed: Bools

    def judged(self, promise: CanaryPromise) -> CanaryJudgement:
        """The judgement at the promised share."""
        return judge_canary(self.is_canary, self.seconds, self.failed, promise, share=(SHARE, SHARE))


def night(
    random: np.random.Generator,
    slower: float = 1.0,
    errors: tuple[float, float] = (0.001, 0.001),
    requests: int = REQUESTS,
    wander: float = 0.4,
) -> Night:
    """Log-normal latencies, log-SD 0.5, of which `wander` is a common noise (AR(1), rho 0.99), as on a busy machine.
    Failures come in bursts: twice the rate in half of the night."""
    is_canary = random.random(requests) < SHARE
    common = lfilter([np.sqrt(1 - 0.99**2)], [1, -0.99], random.standard_normal(requests))
    own = np.sqrt(0.5**2 - wander**2)
    seconds = 0.005 * np.exp(own * random.standard_normal(requests) + wander * common)
    burst = np.where(np.arange(requests) < requests // 2, 2.0, 0.0)
    failed = random.random(requests) < np.where(is_canary, errors[1], errors[0]) * burst
    return Night(is_canary, np.where(is_canary, slower * seconds, seconds), failed)


def same(random: np.random.Generator, scale: float) -> list[Measured]:
    """A/A: the canary is the baseline."""
    nights = [night(random) for _ in range(int(2_000 * scale))]
    lines = []
    for alpha in (0.05, 0.01, 1e-3):
        promise = CanaryPromise(alpha=alpha, slow_after=0.012)
        found = [one.judged(promise).comparison for one in nights]
        lines += [
            at_most(f"A/A called {called}, 5 metrics, alpha {alpha:g}", alpha, [one is called for one in found])
            for called in (Comparison.WORSE, Comparison.BETTER)
        ]
    plan = plan_canary(CanaryPromise(), 300.0, share=SHARE)
    for wander, promised, name in ((0.0, 0.99, "as planned"), (0.4, None, "as planned, but with a noise that wanders")):
        nights = [night(random, requests=plan.requests, wander=wander) for _ in range(int(2_000 * scale))]
        found = [one.judged(CanaryPromise()).comparison for one in nights]
        setting = f"A/A called same, {plan.requests:,} requests {name}"
        lines.append(at_least(setting, promised, [one is Comparison.SAME for one in found]))
    return lines


def margins(random: np.random.Generator, scale: float) -> list[Measured]:
    """The canary is exactly at its margin: neither worse nor same may be said more often than alpha."""
    lines = []
    for alpha in (0.05, 0.01):
        promise = CanaryPromise(quantiles=((0.5, 1.1), (0.9, 1.1), (0.99, 1.1)), alpha=alpha)
        each = alpha / 4
        found = [night(random, slower=1.1).judged(promise) for _ in range(int(1_500 * scale))]
        for place in (1, 2, 3):
            told = [one.metrics[place].comparison for one in found]
            name = f"{found[0].metrics[place].metric} at its margin, alpha {each:g}, called"
            lines.append(at_most(f"{name} worse", each, [one is Comparison.WORSE for one in told]))
            lines.append(at_most(f"{name} same", each, [one in (Comparison.SAME, Comparison.BETTER) for one in told]))
        found = [night(random, errors=(0.02, 0.03)).judged(promise) for _ in range(int(1_500 * scale))]
        told = [one.metrics[0].comparison for one in found]
        name = f"errors at their margin, alpha {each:g}, called"
        lines.append(at_most(f"{name} worse", each, [one is Comparison.WORSE for one in told]))
        lines.append(at_most(f"{name} same", each, [one in (Comparison.SAME, Comparison.BETTER) for one in told]))
    return lines


def different(random: np.random.Generator, scale: float) -> list[Measured]:
    """A canary that is not the baseline, 12,000 requests, alpha 1e-3."""
    lines, runs, promise = [], int(1_000 * scale), CanaryPromise()
    cases = [
        ("25 % slower", 1.25, (0.001, 0.001), Comparison.WORSE),
        ("1 % of the canary's requests fail", 1.0, (0.0, 0.01), Comparison.WORSE),
        ("five times the errors, 1 % to 5 %", 1.0, (0.01, 0.05), Comparison.WORSE),
        ("20 % faster", 0.8, (0.001, 0.001), Comparison.BETTER),
    ]
    for name, slower, errors, expected in cases:
        found = [night(random, slower, errors).judged(promise).comparison for _ in range(runs)]
        lines.append(at_least(f"{name}: called {expected}", 0.99, [one is expected for one in found]))
    return lines


def coverage(random: np.random.Generator, scale: float) -> list[Measured]:
    """The interval for a ratio of quantiles holds the true ratio; the arms' distributions differ in shape."""
    lines, runs = [], int(2_000 * scale)
    for quantile, z in ((0.5, 0.0), (0.9, 1.2815515655446004), (0.99, 2.3263478740408408)):
        stable = np.exp(0.5 * random.standard_normal((runs, 2_100)))
        new = np.exp(0.7 * random.standard_normal((runs, 900)))
        low, high = ratio_interval(stable, new, quantile, 0.05)
        truth = np.exp(0.2 * z)
        missed = (truth < low) | (truth > high)
        lines.append(at_most(f"p{quantile * 100:g} of 900 against 2,100 outside its 95 % interval", 0.05, missed))
    return lines
