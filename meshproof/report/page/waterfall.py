"""Steps in time as a waterfall: one row a step, the longest path marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from meshproof.report.page.axes import linear
from meshproof.report.page.markup import joined, number, seconds, tag

__all__ = ["waterfall"]

_ROW = 22
_LABEL = 22


def waterfall(title: str, seen: Mapping[str, Any]) -> Markup:
    """From a timeline as data; steps that never began are left out of the picture."""
    spans = [span for span in seen.get("spans") or [] if span.get("began") is not None]
    spans.sort(key=lambda span: float(span["began"]))
    if not spans:
        return tag("p", "No step took place.")
    longest = set(seen.get("longest_path") or ())
    end = max(float(span["ended"] if span.get("ended") is not None else span["began"]) for span in spans)
    axis = linear("seconds since the start", [0.0, end], zero=True, room=0.14)
    height = _ROW * len(spans)
    ticks = joined(
        tag(
            "g",
            tag(
                "line",
                x1=f"{axis.percent(value):.2f}%",
                x2=f"{axis.percent(value):.2f}%",
                y1="0",
                y2=height,
                class_="grid",
            ),
            tag("text", words, x=f"{axis.percent(value):.2f}%", y=height, dy="1.4em", text_anchor="middle"),
        )
        for value, words in axis.ticks
    )
    rows = joined(
        _row(number_of, span, str(span["name"]) in longest, axis.percent) for number_of, span in enumerate(spans)
    )
    path = " → ".join(map(str, seen.get("longest_path") or ())) or "not known"
    description = f"{len(spans)} steps in {number(end)} seconds. Longest path: {path}."
    drawing = tag(
        "svg",
        tag("title", title),
        tag("desc", description),
        ticks,
        rows,
        class_="waterfall",
        role="img",
        height=height,
        aria_label=f"{title}: {description}",
    )
    return tag(
        "div",
        _legend(spans),
        tag("div", drawing, class_="waterfall-room"),
        tag("p", axis.label, class_="axis-x"),
        tag("p", tag("strong", "Longest path: "), path) if longest else None,
        _table(spans, longest),
        class_="chart",
    )


def _row(place: int, span: Mapping[str, Any], marked: bool, percent: Any) -> Markup:
    began = float(span["began"])
    ended = float(span["ended"]) if span.get("ended") is not None else began
    state = str(span.get("state") or "done")
    class_ = "failed" if state == "failed" else "skipped" if state == "skipped" else "longest" if marked else "beside"
    label = str(span["name"])
    shown = label if len(label) <= _LABEL else f"{label[: _LABEL - 1]}…"
    words = seconds(ended - began) + (f", {state}" if state not in ("done", "running") else "")
    middle = (place + 0.5) * _ROW
    note = f" ({span['note']})" if span.get("note") else ""
    return tag(
        "g",
        tag("title", f"{label}: {words}, from {number(began)} s{note}"),
        tag("text", shown, x="0", dx="-8", y=middle, dy="0.34em", text_anchor="end", class_=f"label {class_}"),
        tag(
            "rect",
            x=f"{percent(began):.3f}%",
            width=f"{max(percent(ended) - percent(began), 0.3):.3f}%",
            y=place * _ROW + 4,
            height=_ROW - 8,
            rx="2",
            class_=f"bar {class_}",
        ),
        tag(
            "text",
            words,
            x=f"{max(percent(ended), percent(began) + 0.3):.3f}%",
            dx="5",
            y=middle,
            dy="0.34em",
            class_=f"took {class_}",
        ),
    )


def _legend(spans: Sequence[Mapping[str, Any]]) -> Markup:
    states = {span.get("state") for span in spans}
    known = [("longest", "on the longest path"), ("beside", "beside it")]
    known += [(state, state) for state in ("skipped", "failed") if state in states]
    return tag(
        "ul",
        *(tag("li", tag("span", class_=f"swatch bar {class_}", aria_hidden="true"), text) for class_, text in known),
        class_="legend",
    )


def _table(spans: Sequence[Mapping[str, Any]], longest: set[Any]) -> Markup:
    head = tag("tr", *(tag("th", text, scope="col") for text in ("step", "group", "from, s", "to, s", "state", "note")))
    rows = [
        tag(
            "tr",
            tag("th", f"{span['name']}{' *' if span['name'] in longest else ''}", scope="row"),
            *(
                tag("td", "" if span.get(field) is None else str(span[field]))
                for field in ("group", "began", "ended", "state", "note")
            ),
        )
        for span in spans
    ]
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="numbers")
    return tag(
        "details",
        tag("summary", "the numbers (* longest path)"),
        tag("div", table, class_="wide", tabindex="0"),
        class_="fold",
    )
