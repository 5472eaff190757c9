"""The kinds of evidence that are tables: plain ones, matrices, ledgers, parity, stages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from meshproof.report.evidence import Tone
from meshproof.report.page.markup import Content, joined, number, seconds, tag

__all__ = ["SIGNS", "Box", "boxes", "ledger", "matrix", "parity", "stages", "table"]

SIGNS = {Tone.GOOD: "✔", Tone.BAD: "✘", Tone.WARN: "!", Tone.PLAIN: ""}
_ROWS = 200


def table(seen: Mapping[str, Any]) -> Markup:
    """Kind table."""
    columns, rows = [str(column) for column in seen["columns"]], list(seen["rows"])
    numeric = {
        place
        for place in range(len(columns))
        if rows and all(len(row) > place and isinstance(row[place], int | float) for row in rows)
    }
    body = [
        [Box(_words(cell), class_="n" if place in numeric else None) for place, cell in enumerate(row)]
        for row in rows[:_ROWS]
    ]
    left_out = tag("p", f"… and {len(rows) - _ROWS} more rows", class_="cut") if len(rows) > _ROWS else None
    return joined([boxes(columns, body), left_out])


def matrix(seen: Mapping[str, Any], *, corner: str = "") -> Markup:
    """Kind matrix. An empty cell says that nothing was seen there; where there is no room, each row is a list."""
    rows, columns = [], [str(column) for column in seen["columns"]]
    for row, cells in zip(seen["rows"], seen["cells"], strict=True):
        shown = [
            tag("td", tag("span", "·", aria_label="nothing", role="img"), class_="none")
            if cell is None
            else _drawn(
                _toned(str(cell["text"]), Tone(cell.get("tone") or Tone.PLAIN), str(cell.get("detail") or "")), column
            )
            for column, cell in zip(columns, cells, strict=True)
        ]
        rows.append(joined([tag("th", row, scope="row"), *shown]))
    head = tag(
        "tr",
        tag("th", corner, scope="col") if corner else tag("td", ""),
        *(tag("th", _breakable(column), scope="col") for column in columns),
    )
    body = tag("tbody", *(tag("tr", row) for row in rows))
    return tag("div", tag("table", tag("thead", head), body, class_="matrix stacks"), class_="wide", tabindex="0")


def ledger(seen: Mapping[str, Any]) -> Markup:
    """Kind ledger: what was sent, what of it arrived, and the sentinel that makes an absence count."""
    rows = []
    for row in seen["rows"]:
        sent, arrived = int(row["sent"]), int(row["arrived"])
        excluded = row["expected"] == "excluded"
        tone = Tone(row.get("tone") or Tone.PLAIN)
        if tone is Tone.PLAIN:
            sound = arrived == 0 and bool(row.get("sentinel")) if excluded else arrived == sent
            tone = Tone.GOOD if sound else Tone.BAD
        words = f"none of {sent}" if arrived == 0 else f"all {sent}" if arrived == sent else f"{arrived} of {sent}"
        rows.append(
            [
                Box(row["source"], head=True),
                Box(row["expected"]),
                Box(str(sent), class_="n"),
                Box(str(arrived), class_="n"),
                _toned(words, tone),
                Box(row.get("sentinel") or ("none: proves nothing" if excluded else "")),
            ]
        )
    return boxes(["source", "expected", "sent", "arrived", "seen", "sentinel that came later"], rows)


def parity(seen: Mapping[str, Any]) -> Markup:
    """Kind parity: the same figure told by two parties."""
    rows = []
    for row in seen["rows"]:
        ours, theirs = float(row["ours"]), float(row["theirs"])
        difference = "none" if ours == theirs else f"{100 * (theirs / ours - 1):+.2g} %" if ours else "—"
        tolerance, holds = row.get("tolerance"), row.get("holds")
        if holds is None and tolerance is not None:
            holds = abs(theirs - ours) <= float(tolerance) * abs(ours)
        unit = f" {row['unit']}" if row.get("unit") else ""
        rows.append(
            [
                Box(row["figure"], head=True),
                *(Box(f"{number(value, 4)}{unit}", class_="n") for value in (ours, theirs)),
                Box(difference, class_="n"),
                Box("" if tolerance is None else f"±{100 * float(tolerance):g} %", class_="n"),
                Box("") if holds is None else _toned("agrees", Tone.GOOD) if holds else _toned("differs", Tone.BAD),
            ]
        )
    sides = [str(seen.get("ours") or "here"), str(seen.get("theirs") or "there")]
    columns = ["figure", *sides, "difference", "tolerated", "they agree"]
    judged = any(row[-1].content for row in rows)
    return boxes(columns, rows) if judged else boxes(columns[:-2], [row[:-2] for row in rows])


def stages(seen: Mapping[str, Any]) -> Markup:
    """Kind stages: the life of one thing."""
    items = []
    for stage in seen["stages"]:
        at = stage.get("at")
        items.append(
            tag(
                "li",
                tag("strong", stage["what"]),
                tag("span", f" after {seconds(float(at))}", class_="muted") if at is not None else None,
                tag("span", f" · {stage['by']}", class_="muted") if stage.get("by") else None,
                tag("span", str(stage["detail"]), class_="detail") if stage.get("detail") else None,
            )
        )
    return tag("ol", *items, class_="stages")


@dataclass(frozen=True)
class Box:
    """A cell of a table; one that is a `head` names its row."""

    content: Content
    class_: str | None = None
    head: bool = False
    title: str | None = None


def boxes(columns: Sequence[str], rows: Sequence[Sequence[Box]], *, class_: str = "") -> Markup:
    """A table that becomes a list of rows where there is no room for it."""
    head = tag("tr", *(tag("th", column, scope="col") for column in columns))
    body = [
        tag("tr", *(_drawn(box, columns[place] if place < len(columns) else "") for place, box in enumerate(row)))
        for row in rows
    ]
    made = tag("table", tag("thead", head), tag("tbody", *body), class_=f"stacks {class_}".strip())
    return tag("div", made, class_="wide", tabindex="0")


def _drawn(box: Box, column: str) -> Markup:
    if box.head:
        return tag("th", box.content, scope="row", class_=box.class_)
    return tag("td", box.content, class_=box.class_, title=box.title, data_label=column)


def _toned(text: str, tone: Tone, detail: str = "") -> Box:
    sign = tag("span", f"{SIGNS[tone]} ", aria_hidden="true") if SIGNS[tone] else None
    return Box(joined([sign, text]), class_=f"tone {tone.value}", title=detail or None)


def _breakable(words: str) -> Markup:
    """With places where a line may end inside of names, so that columns are no wider than they have to be."""
    parts = re.split(r"(?<=[.:/])(?=\w)", words)
    return joined(part for at, each in enumerate(parts) for part in ((tag("wbr") if at else None), each))


def _words(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return number(cell) if isinstance(cell, int | float) else str(cell)
