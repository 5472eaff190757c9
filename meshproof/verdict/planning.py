"""How many requests, and seconds, a promise needs: worked out before a run starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom, hypergeom, norm

from meshproof.verdict.arrays import Bools
from meshproof.verdict.canary import CanaryPromise
from meshproof.verdict.equivalence import log_closeness
from meshproof.verdict.events import log_excess, rate_upper_bound, share_at_ratio
from meshproof.verdict.lattice import Course, course_of
from meshproof.verdict.mixture import log_evidence
from meshproof.verdict.split import WEIGHT_OF_DRIFT, SplitPromise

__all__ = [
    "CanaryPlan",
    "SplitPlan",
    "course_of_events",
    "course_of_split",
    "plan_canary",
    "plan_split",
    "requests_for_quantile",
    "requests_to_certify",
    "requests_to_refute",
    "requests_without_events",
]

# Exact power goes up and down by a little as n grows; from the answer on it is enough for at least so many.
_SETTLED = 25


@dataclass(frozen=True)
class SplitPlan:
    """What a run will cost when the split is as promised, and when it is off by `bias` (in shares).

    Requests and seconds at `rate` requests a second, on average and in 99 of 100 runs.
    """

    rate: float
    mean_requests: float
    most_requests: int
    power: float
    bias: float
    bias_mean_requests: float
    bias_most_requests: int
    bias_power: float
    cap: int

    @property
    def lines(self) -> tuple[str, ...]:
        """For people, before the run starts."""
        conform = f"{self.mean_requests:,.0f} requests ({self.mean_requests / self.rate:.0f} s) on average"
        most = f"{self.most_requests:,} ({self.most_requests / self.rate:.0f} s) in 99 of 100 runs"
        caught = f"{self.bias_mean_requests:,.0f} ({self.bias_mean_requests / self.rate:.0f} s) on average"
        cap = f"{self.cap:,} requests ({self.cap / self.rate:.0f} s)"
        return (
            f"as promised: CONFORM with probability {self.power:.2%}, after {conform}, {most}",
            f"off by {self.bias * 100:g} points: VIOLATE with probability {self.bias_power:.2%}, after {caught}",
            f"the cap is {cap}",
        )


@dataclass(frozen=True)
class CanaryPlan:
    """Requests of both arms that each metric needs, so that a canary which is as good as the baseline is called so."""

    rate: float
    needed: dict[str, int]

    @property
    def requests(self) -> int:
        """What all metrics need."""
        return max(self.needed.values())

    @property
    def lines(self) -> tuple[str, ...]:
        """For people, before the run starts."""
        each = ", ".join(f"{name} {requests:,}" for name, requests in self.needed.items())
        return (f"{self.requests:,} requests ({self.requests / self.rate:.0f} s) compare the arms: {each}",)


def plan_canary(
    promise: CanaryPromise,
    rate: float,
    *,
    share: float,
    sigma: float = 0.5,
    error_rate: float = 0.001,
    power: float = 0.99,
) -> CanaryPlan:
    """The plan at `rate` requests a second, when the canary has `share` of them, latencies are log-normal with log-SD
    `sigma` and the canary fails at `error_rate`. `power` is for all metrics together, like the promise's alpha."""
    alphas = promise.budget
    each = 1 - (1 - power) / len(alphas)
    needed = {}
    for quantile, margin in promise.quantiles:
        name = f"p{quantile * 100:g}"
        needed[name] = requests_for_quantile(quantile, margin, alphas[name], each, sigma=sigma, share=share)
    own = _requests_to_bound(error_rate, promise.negligible_rate, alphas["errors"] / 2, each)
    needed["errors"] = int(np.ceil(own / share))
    return CanaryPlan(rate, needed)


def course_of_split(promise: SplitPromise, truth: float, arm: int = 1) -> Course:
    """The exact course of the live rule for two arms, when arm 1 truly has the share `truth`.

    Restarts are left out, so a plain bias is seen no later than this. For more arms: of `arm` against all others.
    """
    share = float(promise.shares[arm])
    shares = np.array([1 - share, share])
    threshold = -np.log(promise.alpha)

    def boundary(n: int) -> tuple[Bools, Bools, Bools]:
        k = np.arange(n + 1)
        counts = np.stack([n - k, k], axis=-1)
        violate = log_evidence(counts, shares) + np.log1p(-WEIGHT_OF_DRIFT) >= threshold
        # With two arms, an edge of one is the opposite edge of the other: the same evidence.
        close = log_closeness(counts, shares, promise.margin)[:, 1] >= threshold
        return violate, close[:, 0], close[:, 1]

    looks = range(promise.look_every, promise.cap + 1, promise.look_every)
    return course_of(boundary, looks, truth)


def plan_split(promise: SplitPromise, rate: float, bias: float | None = None) -> SplitPlan:
    """The plan at `rate` requests a second; `bias` in shares, by default the margin.

    Exact for two arms. With more, that of the arm whose share is nearest to a half, which takes longest.
    """
    arm = int(np.argmin(np.abs(promise.shares - 0.5)))
    arm = 1 if promise.shares.size == 2 else arm
    share = float(promise.shares[arm])
    off = promise.margin if bias is None else bias
    good = course_of_split(promise, share, arm)
    biased = course_of_split(promise, share + off if share + off < 1 else share - off, arm)
    return SplitPlan(
        rate=rate,
        mean_requests=good.mean_requests,
        most_requests=good.requests(0.99),
        power=float(good.conform.sum()),
        bias=off,
        bias_mean_requests=biased.mean_requests,
        bias_most_requests=biased.requests(0.99),
        bias_power=float(biased.violate.sum()),
        cap=promise.cap,
    )


def course_of_events(ratio: float, share: float, alpha: float, most: int, margin: float = 1.0) -> Course:
    """The exact course of the one-sided e-process over events, looked at after each, up to `most` events; the canary's
    rate is `ratio` times the baseline's and its share of the requests `share`."""
    null, truth = float(share_at_ratio(share, margin)), float(share_at_ratio(share, ratio))

    def boundary(n: int) -> tuple[Bools, Bools, Bools]:
        worse = log_excess(np.arange(n + 1), n, null) >= -np.log(alpha)
        return worse, np.zeros_like(worse), np.zeros_like(worse)

    return course_of(boundary, range(1, most + 1), truth)


def requests_to_refute(share: float, truth: float, alpha: float, power: float) -> int:
    """For a fixed number of requests: how many the exact two-sided binomial test needs, alpha / 2 at each side."""

    def enough(n: int) -> bool:
        low, high = binom.ppf(alpha / 2, n, share) - 1, binom.isf(alpha / 2, n, share)
        return bool(binom.cdf(low, n, truth) + binom.sf(high, n, truth) >= power)

    guess = norm.isf(alpha / 2) * np.sqrt(share * (1 - share)) + norm.isf(1 - power) * np.sqrt(truth * (1 - truth))
    return _first(enough, int((guess / (truth - share)) ** 2))


def requests_to_certify(share: float, margin: float, alpha: float, power: float) -> int:
    """For a fixed number of requests: how many two exact one-sided tests need, each at alpha, when the share is
    right."""

    def enough(n: int) -> bool:
        low = binom.isf(alpha, n, share - margin) + 1
        high = binom.ppf(alpha, n, share + margin) - 1
        return bool(binom.cdf(high, n, share) - binom.cdf(low - 1, n, share) >= power)

    z = norm.isf(alpha) + norm.isf((1 - power) / 2)
    return _first(enough, int(share * (1 - share) * (z / margin) ** 2))


def requests_for_quantile(
    quantile: float, margin: float, alpha: float, power: float, *, sigma: float = 0.5, share: float = 0.3
) -> int:
    """Requests of both arms after which the tail test shows that a quantile's ratio is below `margin`, when it is 1.

    Latencies are log-normal with log-SD `sigma`. The critical value is the exact one; the canary's number among the
    slowest K = (1-q) n is taken as normal, with mean K c and variance K c (1-c) q, where c = w S(t + ln m) / (1-q) and
    the pooled quantile t solves w S(t + ln m) + (1-w) S(t) = 1-q for the survival function S of the log-latency.
    """
    shift = np.log(margin) / sigma
    tail = 1 - quantile

    def excess(t: float) -> float:
        return float(share * norm.sf(t + shift) + (1 - share) * norm.sf(t) - tail)

    threshold = brentq(excess, -10 - shift, 10)
    of_canary = share * norm.sf(threshold + shift) / tail

    def enough(n: int) -> bool:
        slowest = int(np.ceil(tail * n))
        critical = hypergeom.ppf(alpha, n, round(share * n), slowest) - 1
        spread = np.sqrt(slowest * of_canary * (1 - of_canary) * quantile)
        return bool(norm.cdf((critical + 0.5 - slowest * of_canary) / spread) >= power)

    z = norm.isf(alpha) * np.sqrt(share * (1 - share)) + norm.isf(1 - power) * np.sqrt(of_canary * (1 - of_canary))
    return _first(enough, int((z / (share - of_canary)) ** 2 * quantile / tail))


def requests_without_events(rate: float, alpha: float) -> int:
    """Requests of one arm, none of them an event, that show that its rate is below `rate`: ln(alpha) / ln(1 - rate)."""
    return int(np.ceil(np.log(alpha) / np.log1p(-rate)))


def _requests_to_bound(rate: float, bound: float, alpha: float, power: float) -> int:
    """Requests after which a true `rate` is shown to be below `bound`, with probability `power`."""
    requests = requests_without_events(bound, alpha)
    while rate < bound:
        events = int(binom.ppf(power, requests, rate))
        if rate_upper_bound(events, requests, alpha) <= bound:
            break
        requests = int(requests * 1.05) + 1
    return requests


def _first(enough: Callable[[int], bool], guess: int) -> int:
    """The least n from which on it is enough, found near a normal approximation."""
    low, high = 2, max(guess, 4)
    while not enough(high):
        low, high = high, high * 2
    while high - low > max(2, high // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    n, run = low, 0
    while run < _SETTLED:
        run = run + 1 if enough(n) else 0
        n += 1
    return n - run
