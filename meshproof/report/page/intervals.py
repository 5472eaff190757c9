"""Values with their intervals, a row each, over one axis: what is certain, and how far it is from its limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from meshproof.report.page.axes import Axis, linear, logarithmic
from meshproof.report.page.markup import joined, number, tag
from meshproof.report.page.tables import Box, boxes

__all__ = ["intervals"]

_ROW = 46
_MIDDLE = 30
"""Where in a row its interval is; its words are above."""


def intervals(title: str, seen: Mapping[str, Any]) -> Markup:
    """Kind intervals. An end that is open reaches the edge of the chart; a value above a known end, but not known
    itself, is infinite."""
    rows = [row for row in seen["rows"] if any(row.get(name) is not None for name in ("value", "low", "high"))]
    if not rows:
        return tag("p", "Nothing was measured.")
    axis = _axis(seen, rows)
    height = _ROW * len(rows)
    description = "; ".join(f"{row['label']}: {_words(row)}" for row in rows)
    neutral = seen.get("neutral")
    drawing = tag(
        "svg",
        tag("title", title),
        tag("desc", description),
        joined(_tick(axis, value, words, height) for value, words in axis.ticks),
        tag("line", x1=_at(axis, neutral), x2=_at(axis, neutral), y1="0", y2=height, class_="neutral")
        if neutral is not None
        else None,
        joined(_row(axis, row, place * _ROW) for place, row in enumerate(rows)),
        tag("line", x1="0", x2="100%", y1=height, y2=height, class_="base"),
        class_="intervals",
        role="img",
        height=height,
        aria_label=f"{title}: {description}",
    )
    return tag(
        "div",
        _legend(seen, rows),
        tag("div", drawing, class_="intervals-room"),
        tag("p", axis.label, class_="axis-x"),
        _numbers(rows, str(seen.get("limit") or "limit")),
        class_="chart",
    )


def _axis(seen: Mapping[str, Any], rows: list[Any]) -> Axis:
    values = [row[name] for row in rows for name in ("value", "low", "high", "limit") if row.get(name) is not None]
    values += [seen["neutral"]] if seen.get("neutral") is not None else []
    label = str(seen.get("label") or "")
    if seen.get("logarithmic") and any(value > 0 for value in values):
        return logarithmic(label, values)
    return linear(label, values, zero=min(values) >= 0)


def _at(axis: Axis, value: float) -> str:
    return f"{axis.percent(value):.2f}%"


def _tick(axis: Axis, value: float, words: str, height: int) -> Markup:
    place = axis.percent(value)
    anchor = "end" if place > 94 else "start" if place < 4 else "middle"
    return joined(
        [
            tag("line", x1=f"{place:.2f}%", x2=f"{place:.2f}%", y1="0", y2=height, class_="grid"),
            tag("text", words, x=f"{place:.2f}%", y=height, dy="1.4em", text_anchor=anchor),
        ]
    )


def _row(axis: Axis, row: Mapping[str, Any], top: int) -> Markup:
    low, high, limit = row.get("low"), row.get("high"), row.get("limit")
    middle = top + _MIDDLE
    left = "0%" if low is None else _at(axis, low)
    right = "100%" if high is None else _at(axis, high)
    value = math.inf if row.get("value") is None else row["value"]
    over = limit is not None and value > limit
    ends = [
        tag("line", x1=place, x2=place, y1=middle - 5, y2=middle + 5, class_="whisker")
        for place, end in ((left, low), (right, high))
        if end is not None
    ]
    return tag(
        "g",
        tag("title", f"{row['label']}: {_words(row)}{_detail(row)}"),
        tag("text", tag("tspan", row["label"], class_="label"), f" {_words(row)}", x="0", y=top + 15, class_="told"),
        tag("line", x1=left, x2=right, y1=middle, y2=middle, class_="whisker"),
        *ends,
        tag("line", x1=_at(axis, limit), x2=_at(axis, limit), y1=middle - 9, y2=middle + 9, class_="limit")
        if limit is not None
        else None,
        tag("circle", cx=_at(axis, value), cy=middle, r="4.5", class_="dot over" if over else "dot c0"),
    )


def _words(row: Mapping[str, Any]) -> str:
    value, low, high = row.get("value"), row.get("low"), row.get("high")
    ends = ["−∞" if low is None else number(low), "∞" if high is None else number(high)]
    interval = f" ({' to '.join(ends)})" if low is not None or high is not None else ""
    return f"{'∞' if value is None else number(value)}{interval}{f', {note}' if (note := row.get('note')) else ''}"


def _detail(row: Mapping[str, Any]) -> str:
    return f", {row['detail']}" if row.get("detail") else ""


def _legend(seen: Mapping[str, Any], rows: list[Any]) -> Markup:
    entries = [tag("li", tag("span", class_="swatch c0", aria_hidden="true"), seen.get("interval") or "interval")]
    if any(row.get("limit") is not None for row in rows):
        entries.append(tag("li", tag("span", class_="swatch limit", aria_hidden="true"), seen.get("limit") or "limit"))
    return tag("ul", *entries, class_="legend")


def _numbers(rows: list[Any], limit: str) -> Markup:
    shown = [
        [
            Box(row["label"], head=True),
            *(
                Box("∞" if row.get(name) is None and name in ("value", "high") else _end(row.get(name)), class_="n")
                for name in ("value", "low", "high", "limit")
            ),
            Box("; ".join(str(row[name]) for name in ("note", "detail") if row.get(name))),
        ]
        for row in rows
    ]
    table = boxes(["of", "value", "from", "to", limit, "detail"], shown, class_="numbers")
    return tag("details", tag("summary", "the numbers"), table, class_="fold")


def _end(value: float | None) -> str:
    return "" if value is None else number(value, 4)
