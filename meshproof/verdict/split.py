"""Is the traffic split as promised? Three answers, at any time, with stated error rates.

VIOLATE when the multinomial e-process has ever reached 1/alpha; CONFORM when every arm's share is certified to lie
within the margin; else INCONCLUSIVE. Each of the two is said wrongly with probability at most alpha, however often one
looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from meshproof.errors import UsageError
from meshproof.verdict.arrays import Bools, Floats, Ints, as_shares
from meshproof.verdict.attribution import least_telling, share_bounds, worst_against_margin
from meshproof.verdict.confidence import confidence_sequence
from meshproof.verdict.crosscheck import CrossCheck, cross_check
from meshproof.verdict.drift import Drift, log_drift_evidence, restart_looks, strongest_restart
from meshproof.verdict.equivalence import log_closeness
from meshproof.verdict.mixture import log_evidence
from meshproof.verdict.preconditions import Broken, Reason, too_many_unattributed
from meshproof.verdict.verdicts import Verdict

__all__ = ["WEIGHT_OF_DRIFT", "SplitJudgement", "SplitPromise", "at_looks", "judge_split", "split_courses"]

# The part of the one e-process that is kept for restarts: a plain bias is seen log(1/0.8) later, a change in mid-run
# needs no error rate of its own.
WEIGHT_OF_DRIFT = 0.2


@dataclass(frozen=True)
class SplitPromise:
    """`weights` in any unit; `margin` in shares (0.05 is 5 points); `cap` in requests; a look every so many requests.

    Raises UsageError for values that no measurement can keep.
    """

    weights: tuple[float, ...]
    margin: float = 0.05
    alpha: float = 1e-3
    cap: int = 6_000
    look_every: int = 50
    unattributed_bound: float = 0.01

    def __post_init__(self) -> None:
        as_shares(self.weights)
        if not 0 < self.margin < 1:
            raise UsageError("the margin is no share", seen=self.margin, remedy="give points / 100, like 0.05")
        if not 0 < self.alpha < 1:
            raise UsageError("alpha is no error rate", seen=self.alpha, remedy="give a probability, like 1e-3")
        if self.look_every < 1 or self.cap < self.look_every:
            raise UsageError(
                "the cap is below the first look", seen=(self.cap, self.look_every), remedy="raise the cap"
            )

    @property
    def shares(self) -> Floats:
        """The promised shares (arms,)."""
        return as_shares(self.weights)


@dataclass(frozen=True)
class SplitJudgement:
    """What the counts say. `intervals` hold at all looks at once; `decided_at` is the request at which the live rule
    ends, whatever the preconditions say; `p_value` is valid at any time; evidence is in natural logs."""

    verdict: Verdict
    reason: str
    requests: int
    counts: tuple[int, ...]
    unattributed: int
    shares: tuple[float, ...]
    intervals: tuple[tuple[float, float], ...]
    bounds: tuple[tuple[float, float], ...]
    decided_at: int | None
    log_evidence: float
    p_value: float
    drift: Drift | None
    cross_check: CrossCheck | None
    warnings: tuple[str, ...] = ()
    broken: tuple[Broken, ...] = ()


def at_looks(arm: ArrayLike, arms: int, every: int = 50) -> tuple[Ints, Ints]:
    """Counts so far at each look (looks, arms), and unattributed requests so far (looks,), from each request's arm
    (requests,) in the order of their starts.

    The last look is at the end. A request whose arm is not in 0..arms-1 is unattributed.
    """
    order = np.asarray(arm, dtype=np.int64)
    ends = np.unique(np.append(np.arange(every, order.size + 1, every), order.size))
    reached = np.cumsum(order[:, None] == np.arange(arms), axis=0)
    counts = np.vstack([np.zeros((1, arms), dtype=np.int64), reached])[ends]
    return counts, ends - counts.sum(axis=-1)


def split_courses(cumulative: ArrayLike, promise: SplitPromise, unattributed: ArrayLike = 0) -> tuple[Floats, Bools]:
    """For many runs (..., looks, arms) at once: log E with restarts at each look, and whether the margin is certified.

    All runs have the same number of requests at a look.
    """
    k = np.asarray(cumulative, dtype=np.int64)
    u = np.broadcast_to(np.asarray(unattributed, dtype=np.int64), k.shape[:-1])
    shares = promise.shares
    totals = (k.sum(axis=-1) + u).reshape(-1, k.shape[-2])[0]
    plain = log_evidence(least_telling(k, u, shares), shares)
    again = log_drift_evidence(k, shares, restart_looks(totals), u)
    evidence = np.logaddexp(plain + np.log1p(-WEIGHT_OF_DRIFT), again + np.log(WEIGHT_OF_DRIFT))
    worst = worst_against_margin(k, u) if u.any() else k[None]
    close = log_closeness(worst, shares, promise.margin).min(axis=0)
    ever = np.maximum.accumulate(close, axis=-3)
    return evidence, np.asarray(np.all(ever >= -np.log(promise.alpha), axis=(-2, -1)))


def judge_split(
    cumulative: ArrayLike,
    promise: SplitPromise,
    *,
    unattributed: ArrayLike = 0,
    broken: Sequence[Broken] = (),
) -> SplitJudgement:
    """Judge cumulative counts (looks, arms), with the unattributed requests at each look (looks,) beside them.

    VIOLATE goes before CONFORM: also a run that goes on after it conformed may show a bias or a drift. With `broken`
    preconditions, too many unattributed requests or no request at all the verdict is INVALID, and the figures say what
    was seen. Raises UsageError when the counts do not fit the promise.
    """
    k = np.asarray(cumulative, dtype=np.int64)
    if k.ndim != 2 or k.shape[1] != len(promise.weights):
        seen = f"counts of shape {k.shape} for {len(promise.weights)} weights"
        raise UsageError(
            "the counts do not fit the promised split", seen=seen, remedy="give counts of shape (looks, arms)"
        )
    k = k if k.size else np.zeros((1, k.shape[1]), dtype=np.int64)
    u = np.broadcast_to(np.asarray(unattributed, dtype=np.int64), k.shape[:1])
    evidence, certified = split_courses(k, promise, u)
    refuted = evidence >= -np.log(promise.alpha)
    counts, unknown, total = k[-1], int(u[-1]), int(k[-1].sum() + u[-1])
    found = [*broken, *_broken_counts(counts, unknown, promise)]
    ended = np.flatnonzero(refuted | certified)
    shares = counts / max(int(counts.sum()), 1)
    drift = strongest_restart(k, promise.shares, restart_looks(k.sum(axis=-1) + u)) if refuted.any() else None
    verdict, reason = _verdict(found, bool(refuted.any()), bool(certified[-1]), total, promise)
    peak = float(evidence.max())
    return SplitJudgement(
        verdict=verdict,
        reason=reason,
        requests=total,
        counts=tuple(int(count) for count in counts),
        unattributed=unknown,
        shares=tuple(float(share) for share in shares),
        intervals=_pairs(confidence_sequence(counts, promise.alpha, unknown)),
        bounds=_pairs(share_bounds(counts, unknown)),
        decided_at=int(k[ended[0]].sum() + u[ended[0]]) if ended.size else None,
        log_evidence=float(evidence[-1]),
        p_value=float(np.exp(-max(peak, 0.0))),
        drift=drift if drift and drift.log_evidence > float(log_evidence(counts, promise.shares)) else None,
        cross_check=cross_check(counts, promise.weights) if counts.sum() else None,
        warnings=_warnings(verdict, shares, bool(certified[-1]), promise),
        broken=tuple(found),
    )


def _broken_counts(counts: Ints, unknown: int, promise: SplitPromise) -> list[Broken]:
    """What the counts themselves show to be missing."""
    if not counts.sum() + unknown:
        return [Broken(Reason.NO_TRAFFIC, "no request was answered by any arm")]
    found = too_many_unattributed(counts, unknown, promise.unattributed_bound)
    return [found] if found else []


def _verdict(
    broken: Sequence[Broken], refuted: bool, certified: bool, requests: int, promise: SplitPromise
) -> tuple[Verdict, str]:
    if broken:
        return Verdict.INVALID, "; ".join(str(one) for one in broken)
    promised = "/".join(f"{weight:g}" for weight in promise.weights)
    if refuted:
        return Verdict.VIOLATE, f"the split is not {promised} (wrong at most once in {1 / promise.alpha:,.0f} runs)"
    points = f"{promise.margin * 100:g} points"
    if certified:
        return Verdict.CONFORM, f"every share is within {points} of {promised}"
    reached = "at the cap" if requests >= promise.cap else "so far"
    return Verdict.INCONCLUSIVE, f"{requests} requests {reached} neither refute {promised} nor certify {points}"


def _warnings(verdict: Verdict, shares: Floats, certified: bool, promise: SplitPromise) -> tuple[str, ...]:
    inside = bool(np.all(np.abs(shares - promise.shares) <= promise.margin))
    if verdict is Verdict.VIOLATE and (inside or certified):
        return (f"biased but tolerable: every observed share is within {promise.margin * 100:g} points",)
    return ()


def _pairs(ends: Floats) -> tuple[tuple[float, float], ...]:
    return tuple((float(low), float(high)) for low, high in ends)
