"""A trace as a flame graph: one SVG file without scripts, the same for the same trace.

The width of a bar is its span's duration, what hangs below it happened inside of it. Each service has its colour and,
in the legend, its part of the time: what its spans took without the spans below them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from meshproof.intake.backend import Span
from meshproof.observability.traces import Trace

__all__ = ["flame_graph", "shares_of_time"]

_WIDTH, _MARGIN = 1280, 20
_BAR, _ROW = 22, 26
_LETTER = 6.3  # of the font below, on average; labels are cut by it
_LEAST_BAR = 1.5
_TICKS = 8
_COLOURS = (
    "#8ab8ff",
    "#ffc46b",
    "#7fd6a8",
    "#f2a3c7",
    "#c3b1f5",
    "#f4e07a",
    "#86d9e6",
    "#e8b39a",
    "#b9c7d6",
    "#c5df7f",
)
_STYLE = """
svg { color: #1b1f24; font: 11.5px ui-sans-serif, system-ui, "DejaVu Sans", Arial, sans-serif }
.ground { fill: #ffffff }
text { fill: currentColor }
.title { font-size: 15px; font-weight: 600 }
.quiet { opacity: .7 }
.grid { stroke: currentColor; stroke-opacity: .16 }
.inside { fill: #14181d }
.error { stroke: #d1242f; stroke-width: 2 }
.broken { stroke: currentColor; stroke-dasharray: 3 2 }
@media (prefers-color-scheme: dark) { svg { color: #e6e9ed } .ground { fill: #14181d } }
"""
# What XML has no way to write.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class _Bar:
    span: Span
    row: int
    left: float
    width: float


def flame_graph(trace: Trace) -> str:
    """The SVG document. Spans whose parent did not arrive stand below the others, with a dashed edge."""
    began = min((span.start for span in trace.spans), default=0)
    length = max((span.start + span.duration - began for span in trace.spans), default=0) or 1
    bars = _placed(trace, began, (_WIDTH - 2 * _MARGIN) / length)
    services = list(dict.fromkeys(span.service for span in trace.spans))
    colours = {service: _COLOURS[number % len(_COLOURS)] for number, service in enumerate(services)}
    shares = shares_of_time(trace)
    legend = _legend_rows(services, shares)
    top = 64 + 20 * len(legend) + 26
    height = top + _ROW * (max((bar.row for bar in bars), default=-1) + 1) + _MARGIN
    svg = ET.Element(
        "svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_WIDTH} {height}", width=f"{_WIDTH}", role="img"
    )
    _add(svg, "title", f"Trace {trace.key:016x}")
    _add(svg, "style", _STYLE)
    ET.SubElement(svg, "rect", {"class": "ground", "width": f"{_WIDTH}", "height": f"{height}"})
    _headline(svg, trace, began, length, len(services))
    _legend(svg, legend, colours)
    _axis(svg, length, top, height)
    broken = {span.span_id for span in trace.orphans}
    for bar in bars:
        _draw(svg, bar, bars, top, colours[bar.span.service], bar.span.span_id in broken)
    return ET.tostring(svg, encoding="unicode") + "\n"


def shares_of_time(trace: Trace) -> dict[str, float]:
    """Each service's part of all the time that spans took by themselves, without the spans below them."""
    alone: dict[str, int] = {}
    for span in trace.spans:
        covered, reached = 0, span.start
        end = span.start + span.duration
        for child in sorted(trace.children(span), key=lambda child: child.start):
            first, last = max(child.start, reached), min(child.start + child.duration, end)
            if last > first:
                covered, reached = covered + last - first, last
        alone[span.service] = alone.get(span.service, 0) + max(span.duration - covered, 0)
    total = sum(alone.values()) or 1
    return {service: time / total for service, time in alone.items()}


def _placed(trace: Trace, began: int, scale: float) -> list[_Bar]:
    """Each span one row below its parent, or further down where that row is taken."""
    taken: list[list[tuple[int, int]]] = []
    bars: list[_Bar] = []

    def place(span: Span, row: int) -> None:
        first, last = span.start, span.start + max(span.duration, 1)
        while row < len(taken) and any(first < end and start < last for start, end in taken[row]):
            row += 1
        taken.extend([] for _ in range(row + 1 - len(taken)))
        taken[row].append((first, last))
        bars.append(_Bar(span, row, _MARGIN + (first - began) * scale, max(span.duration * scale, _LEAST_BAR)))
        for child in trace.children(span):
            if child.span_id not in drawn:
                drawn.add(child.span_id)
                place(child, row + 1)

    drawn: set[str] = set()
    for span in (*trace.roots, *trace.orphans, *trace.spans):  # the last: spans that are their own ancestors
        if span.span_id not in drawn:
            drawn.add(span.span_id)
            place(span, 0 if span in trace.roots else len(taken))
    return bars


def _headline(svg: ET.Element, trace: Trace, began: int, length: int, services: int) -> None:
    first = next(iter(trace.roots or trace.spans), None)
    name = f"{first.service} · {first.resource}" if first else "no spans"
    _text(svg, _MARGIN, 28, _cut(name, 150), {"class": "title"})
    moment = datetime.fromtimestamp(began / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    words = f"{_told(length)}, {len(trace.spans)} spans of {services} services, trace {trace.key:016x}, {moment}"
    _text(svg, _MARGIN, 47, words, {"class": "quiet"})


def _legend_rows(services: Sequence[str], shares: Mapping[str, float]) -> list[list[tuple[float, str, str]]]:
    rows: list[list[tuple[float, str, str]]] = [[]]
    left = float(_MARGIN)
    for service in services:
        words = f"{service or 'no service'} {shares.get(service, 0):.1%}"
        needed = 18 + _LETTER * len(words) + 18
        if rows[-1] and left + needed > _WIDTH - _MARGIN:
            rows.append([])
            left = float(_MARGIN)
        rows[-1].append((left, service, words))
        left += needed
    return rows


def _legend(svg: ET.Element, rows: Sequence[Sequence[tuple[float, str, str]]], colours: Mapping[str, str]) -> None:
    for number, row in enumerate(rows):
        y = 64 + 20 * number
        for left, service, words in row:
            box = {"x": f"{left:.1f}", "y": f"{y}", "width": "12", "height": "12", "rx": "2"}
            ET.SubElement(svg, "rect", {**box, "fill": colours[service]})
            _text(svg, left + 18, y + 10, words)


def _axis(svg: ET.Element, length: int, top: int, height: int) -> None:
    step = _step(length / 1e6 / _TICKS)
    tick = 0
    while tick * step <= length / 1e6:
        x = _MARGIN + tick * step / (length / 1e6) * (_WIDTH - 2 * _MARGIN)
        line = {"x1": f"{x:.1f}", "x2": f"{x:.1f}", "y1": f"{top - 6}", "y2": f"{height - _MARGIN / 2:.0f}"}
        ET.SubElement(svg, "line", {"class": "grid", **line})
        anchor = "start" if tick == 0 else "middle" if x < _WIDTH - 3 * _MARGIN else "end"
        _text(svg, x, top - 11, f"{tick * step:g} ms", {"class": "quiet", "text-anchor": anchor})
        tick += 1


def _step(rough: float) -> float:
    """The next of 1, 2, 5, 10, ... in ms."""
    size = 1e-6
    while True:
        for digit in (1, 2, 5):
            if digit * size >= rough:
                return float(f"{digit * size:.0e}")
        size *= 10


def _draw(svg: ET.Element, bar: _Bar, bars: Sequence[_Bar], top: int, colour: str, broken: bool) -> None:
    span, y = bar.span, top + bar.row * _ROW
    group = ET.SubElement(svg, "g")
    state = ", error" if span.error else ""
    status = span.attributes.get("http.status_code")
    told = "" if status is None else f", HTTP {status:g}" if isinstance(status, float) else f", HTTP {status}"
    _add(group, "title", f"{span.service}\n{span.name}\n{span.resource}\n{_told(span.duration)}{told}{state}")
    shape = {"x": f"{bar.left:.2f}", "y": f"{y}", "width": f"{bar.width:.2f}", "height": f"{_BAR}", "rx": "2"}
    kind = {"class": "error"} if span.error else {"class": "broken"} if broken else {}
    ET.SubElement(group, "rect", {**shape, **kind, "fill": colour})
    words = f"{span.service} · {span.resource or span.name} · {_told(span.duration)}{state}"
    in_row = [other for other in bars if other.row == bar.row and other is not bar]
    before = max((other.left + other.width for other in in_row if other.left < bar.left), default=0.0)
    after = min((other.left for other in in_row if other.left > bar.left), default=float(_WIDTH))
    right = bar.left + bar.width
    rooms = [("inside", bar.left + 6, bar.width - 12), ("", right + 6, after - right - 10)]
    rooms.append(("left", bar.left - 6, bar.left - before - 10))
    fitting = next((room for room in rooms if room[2] >= _LETTER * len(words)), max(rooms, key=lambda room: room[2]))
    place, x, room = fitting
    anchor = {"text-anchor": "end"} if place == "left" else {}
    style = {"class": "inside"} if place == "inside" else {}
    shown = _cut(words, int(room / _LETTER))
    if shown:
        _text(group, x, y + 15, shown, {**style, **anchor})


def _told(nanoseconds: int) -> str:
    ms = nanoseconds / 1e6
    return f"{ms:.0f} ms" if ms >= 100 else f"{ms:.1f} ms" if ms >= 1 else f"{ms:.3f} ms"


def _cut(words: str, most: int) -> str:
    if len(words) <= most:
        return words
    return f"{words[: most - 1]}…" if most >= 6 else ""


def _text(parent: ET.Element, x: float, y: float, words: str, attributes: Mapping[str, str] | None = None) -> None:
    _add(parent, "text", words, {"x": f"{x:.1f}", "y": f"{y}", **(attributes or {})})


def _add(parent: ET.Element, tag: str, words: str, attributes: Mapping[str, str] | None = None) -> None:
    ET.SubElement(parent, tag, dict(attributes or {})).text = _UNWRITABLE.sub("�", words)
