"""Nights of the split: A/A, biased, drifting, with requests that name no arm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meshproof.verdict.arrays import Bools, Floats, Ints
from meshproof.verdict.planning import course_of_split
from meshproof.verdict.split import SplitPromise, split_courses
from simulations.promises import (
    Measured,
    at_least,
    at_most,
    exactly_at_least,
    exactly_at_most,
    median_at_most,
    requests_at_most,
)

__all__ = ["biased", "certified", "drifting", "false_alarms", "false_certificates", "unattributed"]

PULL_REQUEST = SplitPromise((70, 30), margin=0.05, alpha=1e-3, cap=6_000)
NIGHTLY = SplitPromise((70, 30), margin=0.03, alpha=1e-4, cap=20_000)
ALPHAS = (0.05, 0.01, 1e-3)
_BATCH = 500


def nights(random: np.random.Generator, runs: int, shares: NDArray[np.float64], every: int = 50) -> Ints:
    """Cumulative counts (runs, looks, arms) when the shares at each look are `shares` (looks, arms)."""
    drawn = random.multinomial(every, np.broadcast_to(shares, (runs, *shares.shape)))
    return np.asarray(np.cumsum(drawn, axis=1), dtype=np.int64)


def steady(shares: tuple[float, ...], requests: int, every: int = 50) -> Floats:
    """The same shares at every look, up to so many requests."""
    values = np.asarray(shares, dtype=np.float64)
    return np.tile(values / values.sum(), (requests // every, 1))


def played(random: np.random.Generator, runs: int, promise: SplitPromise, shares: Floats) -> tuple[Floats, Bools]:
    """log E and whether the margin is certified, at each look (runs, looks)."""
    parts = []
    for first in range(0, runs, _BATCH):
        counts = nights(random, min(_BATCH, runs - first), shares, promise.look_every)
        parts.append(split_courses(counts, promise))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def ends(evidence: Floats, certified: Bools, promise: SplitPromise) -> tuple[Bools, Bools, Ints]:
    """How the live rule ends (runs,): VIOLATE, CONFORM, and after how many requests."""
    refuted = evidence >= -np.log(promise.alpha)
    stopped = refuted | certified
    place = np.where(stopped.any(axis=1), stopped.argmax(axis=1), stopped.shape[1] - 1)
    row = np.arange(place.size)
    violate = refuted[row, place]
    return violate, certified[row, place] & ~violate, (place + 1) * promise.look_every


def false_alarms(random: np.random.Generator, scale: float) -> list[Measured]:
    """A/A: nothing is wrong, and everything is looked at until the end of the night."""
    lines = []
    settings: list[tuple[tuple[float, ...], int, int]] = [
        ((70, 30), 20_000, 4_000),
        ((70, 30), 6_000, 20_000),
        ((50, 50), 6_000, 10_000),
        ((99, 1), 6_000, 10_000),
        ((70, 20, 10), 6_000, 10_000),
        ((25, 25, 25, 25), 6_000, 5_000),
    ]
    for weights, requests, runs in settings:
        promise = SplitPromise(weights)
        evidence, _ = played(random, int(runs * scale), promise, steady(weights, requests))
        peak = evidence.max(axis=1)
        name = f"{'/'.join(f'{weight:g}' for weight in weights)}, {requests:,} requests, all looks"
        lines += [at_most(f"{name}, alpha {alpha:g}", alpha, peak >= -np.log(alpha)) for alpha in ALPHAS]
    for promise, name in ((PULL_REQUEST, "5 points"), (NIGHTLY, "3 points")):
        course = course_of_split(promise, 0.3)
        lines.append(exactly_at_most(f"live rule, {name}, without restarts", promise.alpha, course.violate.sum()))
    return lines


def false_certificates(random: np.random.Generator, scale: float) -> list[Measured]:
    """The truth lies at the very edge of the margin; CONFORM would be wrong, also after VIOLATE."""
    lines = []
    edges: list[tuple[tuple[float, ...], tuple[float, ...]]] = [
        ((70, 30), (65, 35)),
        ((70, 30), (75, 25)),
        ((70, 20, 10), (65, 25, 10)),
        ((70, 20, 10), (70, 15, 15)),
    ]
    for weights, truth in edges:
        for alpha in ALPHAS:
            promise = SplitPromise(weights, margin=0.05, alpha=alpha)
            _, certified = played(random, int(10_000 * scale), promise, steady(truth, promise.cap))
            names = ["/".join(f"{weight:g}" for weight in split) for split in (weights, truth)]
            name = f"{names[0]} within 5 points, true {names[1]}, alpha {alpha:g}"
            lines.append(at_most(name, alpha, certified[:, -1]))
    for promise, edge in ((PULL_REQUEST, 0.35), (PULL_REQUEST, 0.25), (NIGHTLY, 0.33), (NIGHTLY, 0.27)):
        course = course_of_split(promise, edge)
        name = f"live rule, {promise.margin * 100:g} points, true share {edge:g}"
        lines.append(exactly_at_most(name, promise.alpha, course.conform.sum()))
    return lines


def biased(random: np.random.Generator, scale: float) -> list[Measured]:
    """A wrong split is caught, and soon."""
    lines = []
    runs = int(5_000 * scale)
    cases: list[tuple[float, int, float]] = [(35, 4_600, 0.99), (50, 350, 0.99), (40, 1_500, 0.99), (70, 100, 0.99)]
    for promise, name in ((PULL_REQUEST, "alpha 1e-3"), (NIGHTLY, "alpha 1e-4")):
        for canary, within, least in cases:
            truth = (100.0 - canary, canary)
            evidence, certified = played(random, runs, promise, steady(truth, promise.cap if canary == 35 else 3_000))
            violate, _, requests = ends(evidence, certified, promise)
            setting = f"{truth[0]:g}/{truth[1]:g} within {within:,} requests, {name}"
            lines.append(at_least(setting, least, violate & (requests <= within)))
            exact = course_of_split(promise, canary / 100).caught_within(within)
            lines.append(exactly_at_least(f"{setting}, without restarts", least, exact))
        evidence, certified = played(random, runs, promise, steady((100, 0), 500))
        violate, _, requests = ends(evidence, certified, promise)
        lines.append(at_least(f"100/0 at the first look, {name}", 1.0, violate & (requests == promise.look_every)))
    evidence, _ = played(random, runs, SplitPromise((70, 20, 10)), steady((65, 25, 10), 6_000))
    setting = "70/20/10, true 65/25/10, within 4,600 requests, alpha 1e-3"
    lines.append(at_least(setting, 0.99, evidence[:, : 4_600 // 50].max(axis=1) >= -np.log(1e-3)))
    return lines


def certified(random: np.random.Generator, scale: float) -> list[Measured]:
    """A right split is certified at a stated cost."""
    lines = []
    for promise, most, runs in ((PULL_REQUEST, 1_800, 5_000), (NIGHTLY, 6_000, 2_000)):
        evidence, close = played(random, int(runs * scale), promise, steady((70, 30), promise.cap))
        _, conform, requests = ends(evidence, close, promise)
        name = f"70/30 within {promise.margin * 100:g} points, alpha {promise.alpha:g}"
        course = course_of_split(promise, 0.3)
        lines += [
            at_least(f"{name}: CONFORM", 0.99, conform),
            exactly_at_least(f"{name}: CONFORM, without restarts", 0.99, course.conform.sum()),
            requests_at_most(f"{name}: requests", most, requests),
            requests_at_most(f"{name}: requests, without restarts", most, course.mean_requests),
        ]
    return lines


def drifting(random: np.random.Generator, scale: float) -> list[Measured]:
    """70/30 for 10,000 requests, then 60/40: requests from the change to VIOLATE."""
    lines = []
    shares = np.vstack([steady((70, 30), 10_000), steady((60, 40), 5_000)])
    for alpha in (1e-3, 1e-4):
        promise = SplitPromise((70, 30), alpha=alpha, cap=15_000)
        evidence, _ = played(random, int(2_000 * scale), promise, shares)
        refuted = evidence >= -np.log(alpha)
        first = np.where(refuted.any(axis=1), (refuted.argmax(axis=1) + 1) * 50.0, np.inf)
        good_before = first[first > 10_000]
        name = f"70/30 to 60/40 after 10,000 requests, alpha {alpha:g}"
        lines.append(median_at_most(f"{name}: requests since", 1_000, good_before - 10_000))
        lines.append(at_least(f"{name}: caught within 2,500", 0.99, good_before <= 12_500))
    return lines


def unattributed(random: np.random.Generator, scale: float) -> list[Measured]:
    """70/30, but 2.5 % of the canary's answers name no arm: 0.75 % of all requests, below the bound."""
    hidden = 0.025
    shares = steady((70, 30 * (1 - hidden), 30 * hidden), 6_000)
    counts = nights(random, int(2_000 * scale), shares)
    named, lost = counts[..., :2], counts[..., 2]
    promise = SplitPromise((70, 30))
    peak = split_courses(named, promise, lost)[0].max(axis=1)
    ignored = split_courses(named, promise)[0].max(axis=1)
    setting = "canary hides 2.5 % of its answers"
    lines = [at_most(f"{setting}, alpha {alpha:g}", alpha, peak >= -np.log(alpha)) for alpha in ALPHAS]
    lines.append(at_least(f"{setting}, alpha 0.05, if they were ignored: alarms", None, ignored >= -np.log(0.05)))
    return lines
