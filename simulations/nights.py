"""Histories of many nights: each night's evidence alone says little, the product of all says enough."""

from __future__ import annotations

import numpy as np

from meshproof.verdict.arrays import Floats
from meshproof.verdict.nights import evidence_of_a_change, evidence_over_nights
from meshproof.verdict.split import SplitPromise
from simulations.promises import Measured, at_least, at_most
from simulations.split import ALPHAS, PULL_REQUEST, ends, played, steady

__all__ = ["biased_nights", "good_nights"]

_SHORT = SplitPromise((70, 30), margin=0.05, alpha=1e-3, cap=1_000)


def histories(
    random: np.random.Generator, runs: int, nights: int, promise: SplitPromise, canary: float
) -> tuple[Floats, Floats]:
    """log E of each night when it was decided or at its cap, (runs, nights), and whether it was a VIOLATE."""
    evidence, certified = played(random, runs * nights, promise, steady((100 - canary, canary), promise.cap))
    violate, _, requests = ends(evidence, certified, promise)
    stopped = evidence[np.arange(requests.size), requests // promise.look_every - 1]
    return stopped.reshape(runs, nights), violate.reshape(runs, nights).astype(np.float64)


def good_nights(random: np.random.Generator, scale: float) -> list[Measured]:
    """Nothing is wrong in 30 nights, each of which ends when it is decided, and each morning somebody looks."""
    logs, _ = histories(random, int(4_000 * scale), 30, _SHORT, 30)
    products = np.cumsum(logs, axis=1)
    assert np.allclose(products[:20, -1], [evidence_over_nights(one.tolist()) for one in logs[:20]])
    lines = []
    for name, evidence in (("product", products), ("product from any night on", evidence_of_a_change(logs))):
        peak = evidence.max(axis=1)
        lines += [at_most(f"30 good nights, {name}, alpha {a:g}", a, peak >= -np.log(a)) for a in ALPHAS]
    return lines


def biased_nights(random: np.random.Generator, scale: float) -> list[Measured]:
    """68/32 within a margin of 5 points, most of whose nights conform: together they refute 70/30."""
    runs, within = int(400 * scale), 20
    logs, violate = histories(random, runs, within, PULL_REQUEST, 32)
    good, _ = histories(random, runs, 10, PULL_REQUEST, 30)
    late = np.concatenate([good, logs], axis=1)
    threshold = -np.log(1e-3)
    return [
        at_least("68/32, each night alone, alpha 1e-3: VIOLATE", None, violate),
        at_least(f"68/32, product of {within} nights, alpha 1e-3", 0.99, np.cumsum(logs, 1).max(1) >= threshold),
        at_least(
            f"68/32, from any night on, {within} nights, alpha 1e-3",
            0.99,
            evidence_of_a_change(logs).max(axis=1) >= threshold,
        ),
        at_least(
            f"68/32 after 10 good nights, from any night on, {within} nights since",
            0.99,
            evidence_of_a_change(late).max(axis=1) >= threshold,
        ),
    ]
