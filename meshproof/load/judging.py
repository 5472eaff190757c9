"""A run as it is judged: rows go in, in the order of their starts; what is known of it comes out, at any time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from meshproof.load.options import CANARY, Load, canary_promise, split_promise
from meshproof.load.rows import Rows
from meshproof.load.view import View, figures_of
from meshproof.verdict import Verdict
from meshproof.verdict.arrays import Ints
from meshproof.verdict.canary import CanaryJudgement, CanaryPromise, Comparison, judge_canary
from meshproof.verdict.equivalence import log_closeness
from meshproof.verdict.planning import SplitPlan, plan_canary, plan_split
from meshproof.verdict.preconditions import Broken, Conditions, Reason, broken_preconditions
from meshproof.verdict.split import SplitJudgement, SplitPromise, at_looks, judge_split

__all__ = ["CanaryRun", "Run", "SplitRun", "split_plan", "until_a_look"]

LOOK_EVERY = SplitPromise.look_every
_PLANNED_CAP = 6_000
_KINDS = 3


class Run(Protocol):
    """A test of one kind, with its options."""

    name: str
    load: Load
    cap: int

    def plan(self) -> tuple[str, ...]:
        """What it will take, for people, before it starts."""
        ...

    def view(self, rows: Rows, conditions: Conditions, missing: Sequence[str] = ()) -> View:
        """What rows say, given in the order of their starts; `missing` names generators whose rows are incomplete."""
        ...


def until_a_look(rows: Rows) -> Rows:
    """The rows up to the last whole look. While a run goes on it is looked at there alone: a decision between two looks
    would not be found again in all its rows."""
    return rows.where(slice(0, len(rows) - len(rows) % LOOK_EVERY))


class SplitRun:
    """Is the traffic split as promised?"""

    name = "split"

    def __init__(self, given: Mapping[str, Any]) -> None:
        """From options by key. Raises UsageError."""
        self.load = Load.of(given)
        self.promise: SplitPromise = split_promise(self.load, given)
        self.cap = self.promise.cap
        self._bias = float(given.get("bias", 0)) / 100 or None

    def plan(self) -> tuple[str, ...]:
        """See Run."""
        return split_plan(self.promise, self.load.rate, self._bias).lines

    def view(self, rows: Rows, conditions: Conditions, missing: Sequence[str] = ()) -> View:
        """See Run."""
        arm = rows.arm(self.load.arms)
        judged = _split(arm, self.promise, _broken(rows, conditions, missing, self.load))
        ended = judged.decided_at is not None
        left = 0 if ended else _left(judged, self.promise)
        found = _view(self, rows, arm, judged, conditions)
        decided = ended or judged.requests >= self.cap or _hopeless(judged, self.promise)
        return replace(found, decided=decided, left=left)


class CanaryRun:
    """Is the second arm as fast and as sound as the first? Decided when the planned requests were made, or as soon as
    its errors are proven to be too many: latencies may not decide when a run ends."""

    name = "canary"

    def __init__(self, given: Mapping[str, Any]) -> None:
        """From options by key. Raises UsageError."""
        self.load = Load.of(given)
        promise = canary_promise(self.load, given)
        # Latencies are judged from the real and from the intended start, with half of the error rate each.
        self.promise: CanaryPromise = replace(promise, alpha=promise.alpha / 2)
        shares = SplitPromise(self.load.weights, alpha=self.load.alpha).shares
        self.share = float(shares[1])
        sigma = float(given.get("sigma", CANARY[2].default))
        self._planned = plan_canary(self.promise, self.load.rate, share=self.share, sigma=sigma)
        self.cap = int(given.get("requests", 0)) or self._planned.requests
        self.split = SplitPromise(self.load.weights, alpha=self.load.alpha, cap=max(self.cap, 50))

    def plan(self) -> tuple[str, ...]:
        """See Run."""
        seconds = self.cap / self.load.rate
        return (*self._planned.lines, f"this run makes {self.cap:,} requests ({seconds:.0f} s)")

    def view(self, rows: Rows, conditions: Conditions, missing: Sequence[str] = ()) -> View:
        """See Run."""
        arm = rows.arm(self.load.arms)
        split = _split(arm, self.split, _broken(rows, conditions, missing, self.load))
        complete = split.requests >= self.cap
        # Where the split itself is wrong, errors are weighed by the share that there is.
        low, high = split.intervals[1]
        share = (self.share, self.share)
        if split.verdict is Verdict.VIOLATE:
            share = (max(low, 1e-6), min(high, 1 - 1e-6))
        known = rows.where(arm >= 0)
        judged = {
            name: judge_canary(
                arm[arm >= 0] == 1, seconds, known.failed, self.promise, share=share, broken=split.broken
            )
            for name, seconds in (("real", known.service), ("intended", known.response))
        }
        verdict, reason = _worst(judged)
        broken_off = any(
            metric.comparison is Comparison.WORSE and metric.metric == "errors" for metric in judged["real"].metrics
        )
        if not complete and not broken_off and verdict in (Verdict.CONFORM, Verdict.VIOLATE):
            verdict, reason = Verdict.INCONCLUSIVE, f"{split.requests:,} of {self.cap:,} requests; so far {reason}"
        warnings = [*dict.fromkeys(w for one in judged.values() for w in one.warnings)]
        if split.verdict is Verdict.VIOLATE:
            warnings.append(split.reason)
        return replace(
            _view(self, rows, arm, split, conditions, warnings),
            verdict=verdict,
            reason=reason,
            decided=complete or broken_off or _hopeless(split, self.split),
            left=max(self.cap - split.requests, 0),
            details=tuple(_metric_lines(judged)),
        )


def split_plan(promise: SplitPromise, rate: float, bias: float | None = None) -> SplitPlan:
    """plan_split, whose time grows with the square of the cap, for any cap: 6,000 requests take 0.4 s, 30,000 13 s.

    Above 12,000 requests the plan is that of a margin and a bias s times as wide, with requests s^2 times as many: near
    enough for a forecast, since what both need grows as their inverse square.
    """
    off = promise.margin if bias is None else bias
    scale = float(np.sqrt(promise.cap / _PLANNED_CAP))
    if promise.cap <= 2 * _PLANNED_CAP:
        return plan_split(promise, rate, off)
    room = float(min(promise.shares.min(), 1 - promise.shares.max()))
    if max(promise.margin, off) * scale >= room:
        # So wide a margin is decided long before the cap.
        return replace(plan_split(replace(promise, cap=2 * _PLANNED_CAP), rate, off), cap=promise.cap)
    near = plan_split(replace(promise, margin=promise.margin * scale, cap=_PLANNED_CAP), rate, off * scale)
    return replace(
        near,
        mean_requests=near.mean_requests * scale**2,
        most_requests=round(near.most_requests * scale**2),
        bias=off,
        bias_mean_requests=near.bias_mean_requests * scale**2,
        bias_most_requests=round(near.bias_most_requests * scale**2),
        cap=promise.cap,
    )


def _split(arm: Ints, promise: SplitPromise, broken: Sequence[Broken]) -> SplitJudgement:
    counts, unattributed = at_looks(arm, len(promise.weights), promise.look_every)
    return judge_split(counts, promise, unattributed=unattributed, broken=broken)


def _broken(rows: Rows, conditions: Conditions, missing: Sequence[str], load: Load) -> tuple[Broken, ...]:
    broken = list(broken_preconditions(conditions))
    if missing:
        broken.append(Broken(Reason.INCOMPLETE, f"the last rows of {', '.join(missing)} never came"))
    if load.revision:
        # A proxy that fails a request before it has a route sets no header.
        other = int(np.count_nonzero((rows.revision != load.revision) & (rows.status != 0)))
        if other:
            detail = f"{other} of {len(rows)} answers do not carry {load.revision_header}: {load.revision}"
            broken.append(Broken(Reason.NOT_SETTLED, detail))
    return tuple(broken)


def _view(
    run: Run, rows: Rows, arm: Ints, judged: SplitJudgement, conditions: Conditions, warnings: Sequence[str] = ()
) -> View:
    promised = SplitPromise(run.load.weights).shares
    return View(
        test=run.name,
        verdict=judged.verdict,
        reason=judged.reason,
        decided=False,
        requests=judged.requests,
        unattributed=judged.unattributed,
        cap=run.cap,
        left=0,
        log_evidence=judged.log_evidence,
        alpha=run.load.alpha,
        arms=figures_of(rows, arm, run.load.arms, promised, judged.intervals),
        conditions=conditions,
        late_after=run.load.late_after,
        warnings=(*judged.warnings, *warnings, *_without_arm(rows, arm, run.load)),
    )


def _hopeless(judged: SplitJudgement, promise: SplitPromise) -> bool:
    """So many requests name no arm that it stays INVALID even if all others up to the cap do."""
    return judged.unattributed > promise.unattributed_bound * promise.cap


def _without_arm(rows: Rows, arm: Ints, load: Load) -> list[str]:
    """What became of the requests that name no arm: the most frequent kinds, in words."""
    unknown = rows.where(arm < 0)
    kinds = Counter(
        f"got no answer: {error or 'reason unknown'}"
        if status == 0
        else f"got status {status} {f'with {load.arm_header}: {version}' if version else f'without {load.arm_header}'}"
        for status, version, error in zip(unknown.status, unknown.version, unknown.error, strict=True)
    )
    return [f"{number:,} requests {kind}" for kind, number in kinds.most_common(_KINDS)]


def _left(judged: SplitJudgement, promise: SplitPromise) -> int:
    """Evidence grows in proportion to the requests, so what is missing of it tells how many are."""
    wanted = -np.log(promise.alpha)
    close = float(log_closeness(judged.counts, promise.shares, promise.margin).min())
    fastest = max(close, judged.log_evidence)
    rest = promise.cap - judged.requests
    if fastest <= 0 or judged.requests == 0:
        return max(rest, 0)
    return int(max(min(judged.requests * (wanted / fastest - 1), rest), 0))


def _worst(judged: Mapping[str, CanaryJudgement]) -> tuple[Verdict, str]:
    for verdict in (Verdict.INVALID, Verdict.VIOLATE, Verdict.INCONCLUSIVE):
        for name, one in judged.items():
            if one.verdict is verdict:
                return verdict, one.reason if verdict is Verdict.INVALID else f"from the {name} start: {one.reason}"
    return Verdict.CONFORM, judged["real"].reason


def _metric_lines(judged: Mapping[str, CanaryJudgement]) -> list[str]:
    lines = []
    for name, one in judged.items():
        for metric in one.metrics:
            if metric.metric == "errors" and name != "real":
                continue
            low, high = metric.interval
            lines.append(
                f"{metric.metric:<10} x {metric.ratio:.3f}, between {low:.3f} and {high:.3f}, "
                f"margin {metric.margin:g}: {metric.comparison} ({metric.detail}; {name} start)"
            )
    return lines
