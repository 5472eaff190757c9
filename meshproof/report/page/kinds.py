"""From an item of evidence to what the page shows of it. No evidence, however odd, keeps the page from being made."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from meshproof.report.history import ERROR_RATE, EVIDENCE
from meshproof.report.page import outcomes, tables
from meshproof.report.page.curves import quantile_curves, series
from meshproof.report.page.intervals import intervals
from meshproof.report.page.markup import joined, number, size, tag
from meshproof.report.page.svg_files import LARGEST, UnsafeDrawing, inline_svg
from meshproof.report.page.tree import tree
from meshproof.report.page.waterfall import waterfall

__all__ = ["Item", "is_load_balancer", "life_of", "render"]

_MOST_SPELT = 14.0
"""Natural log of an e-value, up or down, from which it is told as a power of ten."""


@dataclass(frozen=True)
class Item:
    """One item of evidence on the page. `folder` is the run's; `key` is unique on the page."""

    name: str
    kind: str
    seen: Any
    folder: Path
    key: str


def render(item: Item) -> Markup:
    """What the page shows; when that fails, the error and the JSON."""
    try:
        if item.kind in _KINDS:
            return _KINDS[item.kind](item)
        return _recognised(item.seen) or tree(item.seen)
    except Exception as error:
        said = f"this {item.kind or 'evidence'} could not be drawn: {type(error).__name__}: {error}"
        try:
            rest = tree(item.seen)
        except Exception:
            rest = tag("p", "nor its JSON")
        return joined([tag("p", said, class_="render-error"), rest])


def _recognised(seen: Any) -> Markup | None:
    """What was kept without a kind, but has a shape that is known."""
    if outcomes.is_outcome(seen):
        return outcomes.outcome(seen)
    if isinstance(seen, list) and seen and all(map(outcomes.is_attempt, seen)):
        return outcomes.attempt_table(seen)
    if isinstance(seen, list) and seen and all(map(outcomes.is_outcome, seen)):
        return joined(outcomes.outcome(one) for one in seen)
    if isinstance(seen, Mapping) and seen and all(map(outcomes.is_outcome, seen.values())):
        rows = [tag("div", tag("dt", key), tag("dd", outcomes.outcome(one))) for key, one in seen.items()]
        return tag("dl", *rows, class_="tree")
    if is_load_balancer(seen):
        return tables.stages(life_of(seen))
    return None


def is_load_balancer(seen: Any) -> bool:
    """Whether this is what a `LoadBalancer` leaves as evidence."""
    return isinstance(seen, Mapping) and {"namespace", "name", "address", "events", "announced_by"} <= seen.keys()


def life_of(seen: Mapping[str, Any]) -> dict[str, Any]:
    """A load balancer's address from being asked for to being announced, as of kind stages."""
    service = f"Service {seen['namespace']}/{seen['name']}"
    found = [{"what": "asked for", "by": service}]
    found += [{"what": reason, "by": by, "detail": message} for reason, message, by in seen["events"]]
    address = seen["address"] or "pending: it has no address"
    nodes = ", ".join(seen["announced_by"])
    last = {"what": address, "by": f"announced by {nodes}" if nodes else "announced by nobody"}
    return {"stages": [*found, last]}


def _figure(item: Item) -> Markup:
    value, unit = item.seen["value"], item.seen.get("unit") or ""
    if value is not None and unit == EVIDENCE:
        words = f"{math.exp(value):.3g}" if abs(value) < _MOST_SPELT else f"10^{value / math.log(10):.0f}"
        return tag("p", tag("strong", words), " e-value", class_="figure")
    if value is not None and unit == ERROR_RATE:
        return tag("p", tag("strong", f"{100 * value:.4g} %"), " of the times, at most", class_="figure")
    low, high = item.seen.get("low"), item.seen.get("high")
    ends = ["−∞" if low is None else number(low, 4), "∞" if high is None else number(high, 4)]
    interval = f" ({ends[0]} to {ends[1]})" if low is not None or high is not None else ""
    words = "not known" if value is None else number(float(value), 4)
    return tag("p", tag("strong", f"{words} {unit}".strip()), interval, class_="figure")


def _text(item: Item) -> Markup:
    text = str(item.seen["text"])
    lines = text.count("\n") + 1
    block = tag("pre", text, tabindex="0")
    return block if lines <= 20 else tag("details", tag("summary", f"{lines} lines"), block, class_="fold")


def _file(item: Item) -> Markup:
    """An SVG is drawn, text is shown; all are linked."""
    relative = str(item.seen["path"])
    path = (item.folder / relative).resolve()
    link = tag("a", Path(relative).name, href=relative)
    about = tag("p", link, f" ({size(int(item.seen['bytes']))})", class_="file")
    if not path.is_relative_to(item.folder.resolve()) or not path.is_file():
        return tag("p", f"{relative} is missing from the run's folder", class_="render-error")
    media_type, name = str(item.seen.get("media_type") or ""), f"drawing-{item.key}"
    if media_type == "image/svg+xml" and path.stat().st_size <= LARGEST:
        text = path.read_text(errors="replace")
        try:
            drawing = inline_svg(text, name=name)
        except UnsafeDrawing as unsafe:
            return joined([about, tag("p", f"not drawn: {unsafe}", class_="render-error")])
        paper = "" if "prefers-color-scheme" in text else " paper"
        room = tag("div", drawing, id=name, class_=f"drawing{paper}", tabindex="0", role="region", aria_label=item.name)
        return joined([room, about])
    return about


_KINDS: dict[str, Callable[[Item], Markup]] = {
    "text": _text,
    "figure": _figure,
    "table": lambda item: tables.table(item.seen),
    "matrix": lambda item: tables.matrix(item.seen),
    "ledger": lambda item: tables.ledger(item.seen),
    "parity": lambda item: tables.parity(item.seen),
    "stages": lambda item: tables.stages(item.seen),
    "series": lambda item: series(item.name, item.seen),
    "quantiles": lambda item: quantile_curves(item.name, item.seen),
    "intervals": lambda item: intervals(item.name, item.seen),
    "waterfall": lambda item: waterfall(item.name, item.seen),
    "file": _file,
}
