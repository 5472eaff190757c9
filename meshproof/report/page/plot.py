"""A line chart as inline SVG: it takes its colours from the page, and its text keeps its size at any width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from meshproof.report.page.axes import Axis
from meshproof.report.page.markup import joined, number, tag

__all__ = ["Curve", "Level", "Promise", "plot"]

_GRID = 10_000
"""Curves are drawn on a grid of so many units each way and stretched, so they need no decimals."""

_ROWS = 24
Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """Points, and the band (x, low, high) around them; an end that is None is open."""

    label: str
    points: Sequence[Point]
    band: Sequence[tuple[float, float | None, float | None]] = ()
    dots: bool = False


@dataclass(frozen=True)
class Promise:
    """What is promised on the y-axis: a value, and how far off it may be."""

    value: float
    margin: float | None = None
    words: str = ""


@dataclass(frozen=True)
class Level:
    """A level that holds from one x to another, with a mark where it begins if it is a change."""

    begin: float
    end: float
    value: float
    change: bool = False


def plot(
    title: str,
    description: str,
    x: Axis,
    y: Axis,
    curves: Sequence[Curve],
    *,
    promise: Promise | None = None,
    levels: Sequence[Level] = (),
    band: str = "",
    small: bool = False,
) -> Markup:
    """A figure with legend, chart and the numbers as a table; `band` says in words what the bands are."""
    inside = joined(
        [
            *(_band(curve, x, y, index) for index, curve in enumerate(curves) if curve.band),
            *(_path(curve.points, x, y, f"curve c{index}") for index, curve in enumerate(curves)),
            *(_path([(at.begin, at.value), (at.end, at.value)], x, y, "level") for at in levels),
        ]
    )
    stretched = {"viewBox": f"0 0 {_GRID} {_GRID}", "preserveAspectRatio": "none"}
    drawing = tag(
        "svg",
        tag("title", title),
        tag("desc", description),
        _frame(x, y),
        _promise(promise, y),
        _element("svg", inside, stretched | {"width": "100%", "height": "100%", "class": "inner"}),
        joined(_dots(curve, x, y, index) for index, curve in enumerate(curves) if curve.dots),
        joined(_mark(level, x) for level in levels if level.change),
        class_="plot small" if small else "plot",
        role="img",
        aria_label=f"{title}: {description}",
    )
    return tag(
        "div",
        _legend(curves, promise, band),
        tag("p", y.label, class_="axis-y") if y.label else None,
        tag("div", drawing, class_="plot-room"),
        tag("p", x.label, class_="axis-x") if x.label else None,
        numbers(curves, x, y),
        class_="chart",
    )


def numbers(curves: Sequence[Curve], x: Axis, y: Axis) -> Markup:
    """The points as a table, folded: every so many, and the last."""
    head = tag(
        "tr", *(tag("th", text, scope="col") for text in ("curve", x.label or "x", y.label or "value", "from", "to"))
    )
    rows = []
    for curve in curves:
        points = list(curve.points)
        ends = {at: (low, high) for at, low, high in curve.band}
        step = max(1, -(-len(points) * len(curves) // _ROWS))
        for at, value in points[::-1][::step][::-1]:
            low, high = ends.get(at, (None, None))
            shown = [_x_words(x, at), number(value, 4), *("" if end is None else number(end, 4) for end in (low, high))]
            rows.append(tag("tr", tag("th", curve.label or "value", scope="row"), *(tag("td", text) for text in shown)))
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="numbers")
    return tag("details", tag("summary", "the numbers"), tag("div", table, class_="wide", tabindex="0"), class_="fold")


def _x_words(x: Axis, at: float) -> str:
    return dict(x.ticks).get(at) or number(at)


def _element(name: str, inside: Markup, attributes: dict[str, str]) -> Markup:
    """For SVG's names in mixed case."""
    words = Markup("").join(Markup(' {}="{}"').format(key, value) for key, value in attributes.items())
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), words, inside)  # noqa: S704  a constant


def _frame(x: Axis, y: Axis) -> Markup:
    parts = []
    for value, words in y.ticks:
        at = f"{100 - y.percent(value):.2f}%"
        parts.append(tag("line", x1="0", x2="100%", y1=at, y2=at, class_="grid"))
        parts.append(tag("text", words, x="0", y=at, dx="-6", dy="0.32em", text_anchor="end"))
    for value, words in x.ticks:
        at = f"{x.percent(value):.2f}%"
        parts.append(tag("line", x1=at, x2=at, y1="100%", y2="100%", class_="tick"))
        parts.append(tag("text", words, x=at, y="100%", dy="1.4em", text_anchor="middle"))
    return joined([*parts, tag("line", x1="0", x2="100%", y1="100%", y2="100%", class_="base")])


def _promise(promise: Promise | None, y: Axis) -> Markup | None:
    if promise is None:
        return None
    at = f"{100 - y.percent(promise.value):.2f}%"
    line = tag("line", x1="0", x2="100%", y1=at, y2=at, class_="promised")
    if promise.margin is None:
        return line
    top, bottom = (100 - y.percent(promise.value + sign * promise.margin) for sign in (1, -1))
    room = tag("rect", x="0", width="100%", y=f"{top:.2f}%", height=f"{bottom - top:.2f}%", class_="margin")
    return joined([room, line])


def _place(x: Axis, y: Axis, at: float, value: float) -> str:
    return f"{x.percent(at) * _GRID / 100:.0f} {_GRID - y.percent(value) * _GRID / 100:.0f}"


def _path(points: Sequence[Point], x: Axis, y: Axis, class_: str) -> Markup:
    places = "L".join(_place(x, y, at, value) for at, value in points)
    return tag("path", d=f"M{places}" if places else "M0 0", class_=class_)


def _band(curve: Curve, x: Axis, y: Axis, index: int) -> Markup:
    """An end that is open reaches the edge of the chart."""
    top = [
        _place(x, y, at, high) if high is not None else f"{_place(x, y, at, 0).split()[0]} 0"
        for at, _, high in curve.band
    ]
    bottom = [
        _place(x, y, at, low) if low is not None else f"{_place(x, y, at, 0).split()[0]} {_GRID}"
        for at, low, _ in curve.band
    ]
    return tag("path", d=f"M{'L'.join([*top, *bottom[::-1]])}Z", class_=f"band c{index}")


def _dots(curve: Curve, x: Axis, y: Axis, index: int) -> Markup:
    return joined(
        tag(
            "circle",
            tag("title", f"{_x_words(x, at)}: {number(value, 4)}"),
            cx=f"{x.percent(at):.2f}%",
            cy=f"{100 - y.percent(value):.2f}%",
            r="3",
            class_=f"dot c{index}",
        )
        for at, value in curve.points
    )


def _mark(level: Level, x: Axis) -> Markup:
    at = f"{x.percent(level.begin - 0.5):.2f}%"
    return tag("line", x1=at, x2=at, y1="0", y2="100%", class_="change")


def _legend(curves: Sequence[Curve], promise: Promise | None, band: str) -> Markup | None:
    entries = [
        tag("li", tag("span", class_=f"swatch c{index}", aria_hidden="true"), curve.label)
        for index, curve in enumerate(curves)
        if curve.label
    ]
    if band and any(curve.band for curve in curves):
        entries.append(tag("li", tag("span", class_="swatch area c0", aria_hidden="true"), band))
    if promise is not None:
        margin = f" ± {number(promise.margin)}" if promise.margin is not None else ""
        words = promise.words or f"promised: {number(promise.value)}{margin}"
        entries.append(tag("li", tag("span", class_="swatch promised", aria_hidden="true"), words))
    return tag("ul", *entries, class_="legend") if entries else None
