"""The kinds of evidence that are drawn: series with bands, quantile curves, trends over runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from meshproof.report.history import Trend
from meshproof.report.page.axes import linear, logarithmic, named, quantile
from meshproof.report.page.markup import joined, number, tag
from meshproof.report.page.plot import Curve, Level, Promise, plot

__all__ = ["quantile_curves", "series", "trend"]

_WIDE = 25.0
"""Above this ratio of largest to smallest the axis is logarithmic."""


def series(title: str, seen: Mapping[str, Any]) -> Markup:
    """Kind series. Where the first looks' bands are much wider than the last, the axis keeps to what matters."""
    curves = []
    for line in seen["lines"]:
        points = [(float(x), float(y)) for x, y in zip(line["x"], line["y"], strict=True) if y is not None]
        low, high = line.get("low"), line.get("high")
        ends = [None] * len(line["x"])
        band = list(zip(line["x"], low or ends, high or ends, strict=True)) if low or high else []
        curves.append(Curve(str(line.get("label") or ""), points, band))
    promised = [float(value) for value in [seen.get("expected")] if value is not None]
    promise = Promise(promised[0], seen.get("margin"), str(seen.get("expected_is") or "")) if promised else None
    values = [*promised, *(y for curve in curves for _, y in curve.points)]
    if promise and promise.margin is not None:
        values += [promise.value - 1.6 * promise.margin, promise.value + 1.6 * promise.margin]
    values += [
        end for curve in curves for _, *ends in curve.band[len(curve.band) // 8 :] for end in ends if end is not None
    ]
    x = linear(str(seen.get("x_label") or ""), [at for curve in curves for at, _ in curve.points], room=0.0)
    y = (logarithmic if seen.get("logarithmic") else linear)(str(seen.get("y_label") or ""), values)
    return plot(title, _ends_in_words(curves), x, y, curves, promise=promise, band=str(seen.get("band") or ""))


def quantile_curves(title: str, seen: Mapping[str, Any]) -> Markup:
    """Kind quantiles: the tail gets as much room as the middle."""
    curves = []
    for arm, points in seen["arms"].items():
        known = [point for point in points if point["value"] is not None]
        curve = [(float(point["quantile"]), float(point["value"])) for point in known]
        band = [(float(point["quantile"]), point.get("low"), point.get("high")) for point in known]
        has_band = any(low is not None or high is not None for _, low, high in band)
        curves.append(Curve(arm, curve, band if has_band else (), dots=len(curve) <= 12))
    values = [value for curve in curves for _, value in curve.points]
    values += [end for curve in curves for _, *ends in curve.band for end in ends if end is not None]
    label = f"{seen.get('label') or 'value'}{f', {unit}' if (unit := seen.get('unit')) else ''}"
    smallest = min((value for value in values if value > 0), default=1.0)
    wide = max(values, default=1.0) / smallest > _WIDE
    y = logarithmic(label, values) if wide else linear(label, values, zero=True)
    x = quantile("quantile", [at for curve in curves for at, _ in curve.points])
    return plot(title, _ends_in_words(curves), x, y, curves, band=str(seen.get("interval") or ""))


def trend(found: Trend) -> Markup:
    """A figure over runs, its changes marked, with a sentence that says what the marks mean."""
    values = [figure.value for figure in found.figures]
    band = [
        (float(place), figure.low, figure.high)
        for place, figure in enumerate(found.figures)
        if figure.low is not None or figure.high is not None
    ]
    curve = Curve("", [(float(place), value) for place, value in enumerate(values)], band, dots=True)
    y = linear(found.unit, [*values, *(end for _, *ends in band for end in ends if end is not None)], room=0.15)
    x = named("run", _days(found.runs))
    last = f"{number(values[-1], 4)} {found.unit}".strip()
    changes = _changes_in_words(found)
    said = f"{len(values)} runs, last {last}. {changes and f'Changed {changes}.'}"
    return joined(
        [
            tag("p", tag("strong", found.name), f": {last}", class_="trend-name"),
            tag("p", tag("span", "! ", aria_hidden="true"), f"changed {changes}", class_="changed")
            if changes
            else None,
            plot(found.name, said, x, y, [curve], levels=_levels(found), small=True),
        ]
    )


def _levels(found: Trend) -> Sequence[Level]:
    if not found.changes:
        return []
    edges = [0, *(change.at for change in found.changes), len(found.figures)]
    medians = [found.changes[0].before, *(change.after for change in found.changes)]
    return [
        Level(begin - 0.4, end - 0.6, median) for begin, end, median in zip(edges, edges[1:], medians, strict=False)
    ] + [Level(change.at, change.at, change.after, change=True) for change in found.changes]


def _changes_in_words(found: Trend) -> str:
    told = []
    for change in found.changes:
        ratio = f" (×{change.after / change.before:.2f})" if change.before > 0 else ""
        after = f"{number(change.after)} {found.unit}".strip()
        where = f"with run {found.runs[change.at]} from {number(change.before)} to {after}"
        told.append(f"{where}{ratio}, p = {change.p_value:.2g}")
    return "; ".join(told)


def _days(runs: Sequence[str]) -> list[str]:
    """Runs that are named by their time as month and day, or as the time where all are of one day."""
    if not all(re.match(r"\d{8}-\d{4}", run) for run in runs):
        return [run[:10] for run in runs]
    if len({run[:8] for run in runs}) == 1:
        return [f"{run[9:11]}:{run[11:13]}" for run in runs]
    return [f"{run[4:6]}-{run[6:8]}" for run in runs]


def _ends_in_words(curves: Sequence[Curve]) -> str:
    parts = []
    for curve in curves:
        if curve.points:
            at, value = curve.points[-1]
            low, high = next(((low, high) for x, low, high in reversed(curve.band) if x == at), (None, None))
            interval = f" ({number(low)} to {number(high)})" if low is not None and high is not None else ""
            parts.append(f"{curve.label or 'the curve'} ends at {number(value)}{interval} at {number(at)}")
    return "; ".join(parts) or "nothing to draw"
