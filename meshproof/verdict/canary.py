"""Is the canary as fast and as sound as the baseline? Better, same, worse or inconclusive, for each metric and over
all.

With a margin m >= 1 for the ratio canary / baseline of each metric, and that metric's part of the error budget as
alpha: worse: a ratio of at most m is refuted; same: a ratio of m or more is refuted; better: a ratio of 1 or more is
refuted, too. Each is said wrongly with probability at most alpha.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from meshproof.errors import UsageError
from meshproof.verdict.arrays import Bools, Floats
from meshproof.verdict.budget import share_out
from meshproof.verdict.events import log_excess, rate_upper_bound, ratio_interval_of_events, share_at_ratio
from meshproof.verdict.preconditions import Broken, idle_arms
from meshproof.verdict.quantiles import ratio_interval, tail_test
from meshproof.verdict.verdicts import Verdict

__all__ = ["CanaryJudgement", "CanaryPromise", "Comparison", "MetricJudgement", "judge_canary", "judge_events"]


class Comparison(StrEnum):
    """The canary against the baseline."""

    BETTER = "better"
    SAME = "same"
    WORSE = "worse"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class CanaryPromise:
    """Margins as ratios canary / baseline. `quantiles` maps a quantile to its margin; there is no gate beyond p99,
    which a night's requests cannot carry. An error rate of the canary below `negligible_rate` is sound, whatever the
    ratio. `slow_after` (seconds) makes requests above it events of their own. `alpha` is for all metrics together.

    Raises UsageError for a margin below 1 or a quantile beyond p99.
    """

    quantiles: tuple[tuple[float, float], ...] = ((0.5, 1.10), (0.9, 1.15), (0.99, 1.30))
    errors: float = 1.5
    negligible_rate: float = 0.01
    slow_after: float | None = None
    slow: float = 1.5
    alpha: float = 1e-3

    def __post_init__(self) -> None:
        margins = [*(margin for _, margin in self.quantiles), self.errors, self.slow]
        if min(margins) < 1:
            raise UsageError("a margin is below 1", seen=min(margins), remedy="give the tolerated ratio, like 1.1")
        if any(not 0 < quantile <= 0.99 for quantile, _ in self.quantiles):
            seen = [quantile for quantile, _ in self.quantiles]
            raise UsageError("a quantile cannot be gated", seen=seen, remedy="give quantiles between 0 and 0.99")

    @property
    def budget(self) -> dict[str, float]:
        """alpha of each metric, by its name."""
        names = ["errors", *(["slow"] if self.slow_after is not None else [])]
        return share_out(self.alpha, [*names, *(f"p{quantile * 100:g}" for quantile, _ in self.quantiles)])


@dataclass(frozen=True)
class MetricJudgement:
    """One metric. `ratio` is canary / baseline as observed, `interval` holds with probability 1 - alpha; `warning` says
    when the canary is proven to be worse than the baseline, but within the margin."""

    metric: str
    comparison: Comparison
    ratio: float
    interval: tuple[float, float]
    margin: float
    alpha: float
    detail: str
    warning: str | None = None


@dataclass(frozen=True)
class CanaryJudgement:
    """All metrics, and the verdict over all: worse is VIOLATE, same or better CONFORM."""

    verdict: Verdict
    comparison: Comparison
    reason: str
    metrics: tuple[MetricJudgement, ...]
    warnings: tuple[str, ...] = ()
    broken: tuple[Broken, ...] = ()


def judge_canary(
    is_canary: ArrayLike,
    seconds: ArrayLike,
    failed: ArrayLike,
    promise: CanaryPromise,
    *,
    share: tuple[float, float],
    broken: Sequence[Broken] = (),
) -> CanaryJudgement:
    """Judge requests (requests,) of the two arms, in the order of their starts.

    Quantiles are those of the requests that did not fail; without any they are inconclusive. `share` bounds the
    canary's part of the two arms' requests: (w, w) for the promised w, or the ends of the split's confidence sequence.
    INVALID with `broken` preconditions or when an arm has no request. Raises UsageError when `share` is not between 0
    and 1.
    """
    if not 0 < share[0] <= share[1] < 1:
        raise UsageError("the canary's share is no share", seen=share, remedy="give its ends, like (0.3, 0.3)")
    canary = np.asarray(is_canary, dtype=np.bool_)
    latency = np.asarray(seconds, dtype=np.float64)
    bad = np.asarray(failed, dtype=np.bool_)
    idle = idle_arms([np.count_nonzero(~canary), np.count_nonzero(canary)], (1, 1))
    missing = (*broken, *([idle] if idle else []))
    if missing:
        reason = "; ".join(str(one) for one in missing)
        return CanaryJudgement(Verdict.INVALID, Comparison.INCONCLUSIVE, reason, (), broken=missing)
    alphas = promise.budget
    metrics = [judge_events("errors", bad, canary, share, promise.errors, promise.negligible_rate, alphas["errors"])]
    if promise.slow_after is not None:
        slow = bad | (latency > promise.slow_after)
        metrics.append(judge_events("slow", slow, canary, share, promise.slow, promise.negligible_rate, alphas["slow"]))
    stable, new = latency[~canary & ~bad], latency[canary & ~bad]
    for quantile, margin in promise.quantiles:
        metrics.append(_judge_quantile(stable, new, quantile, margin, alphas[f"p{quantile * 100:g}"]))
    return _over_all(metrics)


def judge_events(
    metric: str,
    is_event: Bools,
    is_canary: Bools,
    share: tuple[float, float],
    margin: float,
    negligible: float,
    alpha: float,
) -> MetricJudgement:
    """Judge events, like errors, among requests (requests,) in order: by the conditional e-process after each event,
    and for events too rare for that by a bound on the canary's own rate (alpha / 2 for either way to `same`)."""
    mine = is_canary[is_event]
    k, n = np.cumsum(mine), np.arange(1, mine.size + 1)
    threshold = -np.log(alpha)
    low, high = share
    worse = _reaches(log_excess(k, n, share_at_ratio(high, margin)), threshold)
    bounded = _reaches(log_excess(n - k, n, 1 - share_at_ratio(low, margin)), threshold + np.log(2))
    better = _reaches(log_excess(n - k, n, 1 - low), threshold)
    tolerable = _reaches(log_excess(k, n, high), threshold)
    events, total = int(np.count_nonzero(mine)), int(np.count_nonzero(is_canary))
    others = int(mine.size) - events
    most = rate_upper_bound(events, total, alpha / 2)
    comparison = _compare(worse, bounded or most <= negligible, bounded and better)
    base_rate = others / max(is_canary.size - total, 1)
    ratio = (events / total) / base_rate if base_rate else (np.inf if events else 1.0)
    return MetricJudgement(
        metric=metric,
        comparison=comparison,
        ratio=float(ratio),
        interval=ratio_interval_of_events(events, int(mine.size), share, alpha),
        margin=margin,
        alpha=alpha,
        detail=f"{events} of {total} against {others} of {is_canary.size - total}; canary at most {most:.3%}",
        warning=_warning(metric, comparison, tolerable),
    )


def _judge_quantile(stable: Floats, new: Floats, quantile: float, margin: float, alpha: float) -> MetricJudgement:
    metric = f"p{quantile * 100:g}"
    if not (stable.size and new.size):
        nothing = (Comparison.INCONCLUSIVE, np.nan, (0.0, np.inf), margin, alpha, "an arm failed every request")
        return MetricJudgement(metric, *nothing)
    at_margin, at_one = tail_test(stable, new, quantile, margin), tail_test(stable, new, quantile)
    bounded = bool(at_margin.p_faster <= alpha)
    comparison = _compare(bool(at_margin.p_slower <= alpha), bounded, bounded and bool(at_one.p_faster <= alpha))
    low, high = ratio_interval(stable, new, quantile, alpha)
    base, own = (float(np.quantile(arm, quantile, method="inverted_cdf")) for arm in (stable, new))
    return MetricJudgement(
        metric=metric,
        comparison=comparison,
        ratio=own / base if base else np.inf,
        interval=(float(low), float(high)),
        margin=margin,
        alpha=alpha,
        detail=f"{own * 1e3:.3f} ms against {base * 1e3:.3f} ms",
        warning=_warning(metric, comparison, bool(at_one.p_slower <= alpha)),
    )


def _compare(worse: bool, bounded: bool, better: bool) -> Comparison:
    if worse:
        return Comparison.WORSE
    if better:
        return Comparison.BETTER
    return Comparison.SAME if bounded else Comparison.INCONCLUSIVE


def _over_all(metrics: Sequence[MetricJudgement]) -> CanaryJudgement:
    found = {metric.comparison for metric in metrics}
    order = (Comparison.WORSE, Comparison.INCONCLUSIVE, Comparison.BETTER, Comparison.SAME)
    comparison = next(one for one in order if one in found)
    verdicts = {Comparison.WORSE: Verdict.VIOLATE, Comparison.INCONCLUSIVE: Verdict.INCONCLUSIVE}
    told = [metric for metric in metrics if metric.comparison is comparison]
    reason = f"{comparison}: " + "; ".join(
        f"{metric.metric} x {metric.ratio:.3f}, margin {metric.margin:g} ({metric.detail})" for metric in told
    )
    warnings = tuple(metric.warning for metric in metrics if metric.warning)
    return CanaryJudgement(verdicts.get(comparison, Verdict.CONFORM), comparison, reason, tuple(metrics), warnings)


def _reaches(evidence: Floats, threshold: float) -> bool:
    return bool(np.any(evidence >= threshold))


def _warning(metric: str, comparison: Comparison, proven: bool) -> str | None:
    if comparison is Comparison.SAME and proven:
        return f"{metric}: worse than the baseline, but within the margin"
    return None
