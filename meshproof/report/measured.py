"""What a load test's rows show, as evidence that the page draws: a split, weights that change, counts, a canary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import binomtest

from meshproof.load.reconcile import Reconciliation
from meshproof.load.rows import Rows
from meshproof.report.evidence import Evidence, Interval, Line, Quantile
from meshproof.verdict.arrays import Bools, Floats, Ints
from meshproof.verdict.attribution import worst_against_margin
from meshproof.verdict.canary import CanaryPromise, judge_canary
from meshproof.verdict.confidence import confidence_sequence
from meshproof.verdict.equivalence import log_closeness
from meshproof.verdict.quantiles import quantile_interval
from meshproof.verdict.split import SplitJudgement, SplitPromise, at_looks, split_courses

__all__ = ["draw_canary", "draw_counts", "draw_shares", "draw_split", "draw_weights"]

_QUANTILES = np.array([0.01, *np.arange(0.05, 0.5, 0.05), *(1 - np.logspace(np.log10(0.5), -3, 41))])
"""From p1 to p99.9, the tail in even steps of its nines."""

_ALPHA = 1e-3
"""Of the intervals that are drawn for reading and judge nothing."""

_BEYOND = 100
"""How far beyond the deciding one e-values are drawn."""

_PART = 0.5
"""Seconds that share a point where weights change."""

_POINTS = 120
"""Of a curve over time: with longer runs each stands for more seconds."""


def draw_split(evidence: Evidence, rows: Rows, promise: SplitPromise, arms: Sequence[str] = ("v1", "v2")) -> None:
    """Shares over requests with their confidence sequences, and beside them the e-values that decide; `arms` in the
    order of the promise's weights. Of two arms the second is drawn: the first is the rest."""
    counts, unattributed = at_looks(rows.in_order().arm(arms), len(arms), promise.look_every)
    requests = counts.sum(axis=-1) + unattributed
    if not requests.any():
        return
    shares = 100 * counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    ends = 100 * confidence_sequence(counts, promise.alpha, unattributed)
    sure = f"{100 * (1 - promise.alpha):.6g} % at all requests at once"
    for place, arm in list(enumerate(arms))[1 if len(arms) == 2 else 0 :]:
        expected, margin = float(100 * promise.shares[place]), 100 * promise.margin
        low, high = ends[:, place, 0], ends[:, place, 1]
        evidence.figure(f"share of {arm}", shares[-1, place], "%", low[-1], high[-1])
        evidence.lines(
            f"share of {arm} over requests",
            [Line(arm, requests.tolist(), shares[:, place].tolist(), low.tolist(), high.tolist())],
            x_label="requests",
            y_label=f"share of {arm}, %",
            expected=expected,
            margin=margin,
            expected_is=f"promised: {expected:.4g} % ± {margin:g} points",
            band=sure,
        )
    limit = 1 / promise.alpha
    against, within = _evidence_courses(counts, unattributed, promise)
    promised = "/".join(f"{weight:g}" for weight in promise.weights)
    evidence.lines(
        "what decides: the evidence over requests",
        [
            Line(f"against {promised}", requests.tolist(), _e_values(against, limit)),
            Line(f"for within {100 * promise.margin:g} points of it", requests.tolist(), _e_values(within, limit)),
        ],
        x_label="requests",
        y_label=f"e-value, drawn up to {limit * _BEYOND:,.0f}",
        expected=limit,
        expected_is=f"at {limit:,.0f} it is decided",
        logarithmic=True,
    )


def _evidence_courses(counts: Ints, unattributed: Ints, promise: SplitPromise) -> tuple[Floats, Floats]:
    """In natural logs, at each look (looks,): against the split, and that every share is within the margin, which needs
    each edge refuted at some time."""
    against, _ = split_courses(counts, promise, unattributed)
    close = log_closeness(worst_against_margin(counts, unattributed), promise.shares, promise.margin).min(axis=0)
    return against, np.asarray(np.maximum.accumulate(close, axis=0).min(axis=(-2, -1)), dtype=np.float64)


def _e_values(logs: Floats, limit: float) -> list[float]:
    """Not beyond where they have long been decisive, nor below where they say nothing."""
    return [float(value) for value in np.exp(np.clip(logs, math.log(1e-2), math.log(limit * _BEYOND)))]


def draw_weights(
    evidence: Evidence,
    rows: Rows,
    applied: Sequence[tuple[int, Sequence[float]]],
    arms: Sequence[str] = ("v1", "v2"),
) -> None:
    """The share of the second arm over time, beside its weight at that time: `applied` are the times (microseconds) at
    which weights were applied, in order."""
    rows = rows.in_order()
    arm = rows.arm(arms)
    rows, arm = rows.where(arm >= 0), arm[arm >= 0]
    if not len(rows):
        return
    first, last = int(rows.start[0]), (int(rows.start[-1]) - int(rows.start[0])) / 1e6
    part = np.floor((rows.start - first) / 1e6 / _PART).astype(np.int64)
    points = []
    for at in np.unique(part):
        seen = arm[part == at]
        rate, low, high = _rate(int(np.count_nonzero(seen == 1)), seen.size, 0.05)
        points.append((min(at * _PART + _PART / 2, last), rate, low, high))
    steps = [(min(max((at - first) / 1e6, 0.0), last), 100 * weights[1] / sum(weights)) for at, weights in applied]
    ends = [*(at for at, _ in steps[1:]), last]
    told = [(at, share) for (begin, share), end in zip(steps, ends, strict=True) for at in (begin, end)]
    evidence.lines(
        f"share of {arms[1]} while weights change",
        [
            Line(arms[1], *(list(each) for each in zip(*points, strict=True))),
            Line("weight, from when it was applied", [at for at, _ in told], [share for _, share in told]),
        ],
        x_label="seconds since the first request",
        y_label=f"share of {arms[1]}, %",
        band=f"95 % for each {_PART:g} s by itself",
    )


def draw_shares(evidence: Evidence, judged: Mapping[str, SplitJudgement], interval: str, arm: str = "v2") -> None:
    """The share of the second arm under several revisions, by their names; `interval` says in words what the intervals
    are. One without a request is left out."""
    rows = []
    for name, one in judged.items():
        share, low, high = (100 * float(each) for each in (one.shares[1], *one.intervals[1]))
        note, detail = f"{one.requests:,} requests", f"{one.verdict}: {one.reason}"
        rows += [Interval(name, share, low, high, note=note, detail=detail)] if one.requests else []
    if rows:
        evidence.intervals(f"share of {arm} under each revision", rows, label=f"share of {arm}, %", interval=interval)


def draw_counts(evidence: Evidence, found: Reconciliation) -> None:
    """What client, proxies and, if they were asked for, traces counted, by arm."""
    traced = any(arm.backend is not None for arm in found.arms)
    columns = ["arm", "client", "proxies", *(["traces"] if traced else []), "retries", "without an attempt"]
    rows = [
        [arm.arm, arm.client, arm.proxy, *([arm.backend] if traced else []), arm.retries, arm.answered_by_proxy,
         "; ".join([*arm.explained, *(f"UNEXPLAINED {note}" for note in arm.unexplained)]) or "none"]
        for arm in found.arms
    ]  # fmt: skip
    evidence.table("requests, counted independently", [*columns, "differences"], rows)
    evidence.add("requests that name no arm", found.unattributed)
    evidence.add("together", found.reason)


def draw_canary(
    evidence: Evidence,
    rows: Rows,
    promise: CanaryPromise,
    arms: Sequence[str] = ("v1", "v2"),
    *,
    share: float = 0.3,
) -> None:
    """The second arm beside the first: ratios against their margins, quantile curves, latency over time, error rates.

    Latency counts from the intended start, of requests that did not fail; `share` is the canary's, as promised.
    """
    rows = rows.in_order()
    arm = rows.arm(arms)
    rows, arm = rows.where(arm >= 0), arm[arm >= 0]
    chosen = {name: arm == place for place, name in enumerate(arms)}
    if not len(rows):
        return
    _draw_ratios(evidence, rows, chosen[arms[1]], promise, share, arms)
    good = {name: rows.response[mine & ~rows.failed] * 1e3 for name, mine in chosen.items()}
    evidence.quantiles(
        "latency quantiles of the arms",
        {f"{name}, {values.size:,} requests": _curve(values) for name, values in good.items() if values.size},
        label="latency from the intended start",
        interval=f"{100 * (1 - _ALPHA):g} % for each quantile by itself",
    )
    _draw_over_time(evidence, rows, chosen)
    _draw_errors(evidence, rows, chosen, promise)


def _draw_ratios(
    evidence: Evidence, rows: Rows, is_canary: Bools, promise: CanaryPromise, share: float, arms: Sequence[str]
) -> None:
    """Without what cannot be told, like the ratio of no errors to no errors."""
    judged = judge_canary(is_canary, rows.response, rows.failed, promise, share=(share, share))
    known = [one for one in judged.metrics if one.interval[0] > 0 or one.interval[1] < np.inf]
    if not known:
        return
    evidence.intervals(
        f"{arms[1]} against {arms[0]}",
        [Interval(one.metric, one.ratio, *one.interval, one.margin, str(one.comparison), one.detail) for one in known],
        label=f"{arms[1]} / {arms[0]}, a ratio",
        interval=f"{100 * (1 - promise.alpha):.6g} % for all at once",
        limit="tolerated",
        neutral=1.0,
        logarithmic=True,
    )


def _curve(values: Floats) -> list[Quantile]:
    """With the values that occurred; an interval's end that so few requests cannot give is open."""
    observed = np.quantile(values, _QUANTILES, method="inverted_cdf")
    ends = [quantile_interval(values, float(quantile), _ALPHA) for quantile in _QUANTILES]
    return [
        Quantile(float(quantile), float(value), float(low), float(high))
        for quantile, value, (low, high) in zip(_QUANTILES, observed, ends, strict=True)
    ]


def _draw_over_time(evidence: Evidence, rows: Rows, chosen: dict[str, Bools]) -> None:
    seconds = (rows.start - rows.start[0]) / 1e6
    step = max(1, math.ceil(float(seconds[-1]) / _POINTS))
    window = (seconds // step).astype(np.int64)
    each = "second" if step == 1 else f"{step} seconds"
    for quantile, words in ((0.5, "median"), (0.9, "p90")):
        lines = []
        for name, mine in chosen.items():
            good = mine & ~rows.failed
            points = [
                (at * step + step / 2, _observed(rows.response[good & (window == at)] * 1e3, quantile))
                for at in np.unique(window[good])
            ]
            if points:
                lines.append(Line(name, [at for at, _ in points], *zip(*(ends for _, ends in points), strict=True)))
        if lines:
            evidence.lines(
                f"{words} latency of each {each}",
                lines,
                x_label="seconds since the first request",
                y_label=f"{words}, ms",
                band=f"95 % for each {each} by itself",
                logarithmic=True,
            )


def _observed(values: Floats, quantile: float) -> tuple[float, float, float]:
    """The quantile and the ends of its interval; the least and the greatest value where too few were seen for one."""
    low, high = quantile_interval(values, quantile, 0.05)
    value = float(np.quantile(values, quantile, method="inverted_cdf"))
    return value, max(float(low), float(values.min())), min(float(high), float(values.max()))


def _draw_errors(evidence: Evidence, rows: Rows, chosen: dict[str, Bools], promise: CanaryPromise) -> None:
    shown = []
    for name, mine in chosen.items():
        failed, sent = int(np.count_nonzero(mine & rows.failed)), int(np.count_nonzero(mine))
        if sent:
            limit = 100 * promise.negligible_rate if name == list(chosen)[1] else None
            shown.append(Interval(name, *_rate(failed, sent, _ALPHA), limit, f"{failed:,} of {sent:,}"))
    evidence.intervals(
        "failed requests of the arms",
        shown,
        label="failed requests, %",
        interval=f"{100 * (1 - _ALPHA):g} % for each arm by itself",
        limit="negligible for a canary",
    )


def _rate(count: int, of: int, alpha: float) -> tuple[float, float, float]:
    """In per cent, with the ends of its exact interval."""
    ends = binomtest(count, of).proportion_ci(1 - alpha, method="exact")
    return 100 * count / of, 100 * float(ends.low), 100 * float(ends.high)
