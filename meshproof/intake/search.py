"""Searches for spans, logs and documents: newest or oldest first, page by page."""

# ruff: noqa: S608 - names in the SQL are ours or quoted; values are bound.
from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meshproof.intake.conditions import Condition, condition
from meshproof.intake.fields import Fields
from meshproof.intake.index import Index
from meshproof.intake.language import parse
from meshproof.intake.logs import loaded_json
from meshproof.intake.rejections import Rejected
from meshproof.intake.spoils import Spoils
from meshproof.intake.times import iso

__all__ = ["Page", "Window", "events", "in_window"]

_TIME = {"spans": "start", "logs": "timestamp", "documents": "received"}
# Stored times in these tables, in ms.
_UNIT = {"spans": 1_000_000, "logs": 1, "documents": 1}


@dataclass(frozen=True)
class Window:
    """What is searched: a query, from and to in ms since 1970 (both included)."""

    query: str
    start: int
    end: int


@dataclass(frozen=True)
class Page:
    """`rows` are rendered events; `after` is the cursor of the next page, None on the last one."""

    rows: list[dict[str, Any]]
    after: str | None


def in_window(index: Index, table: str, window: Window) -> Condition:
    """The SQL condition of a window over `table`."""
    sql, values = condition(parse(window.query), Fields(index, table))
    unit = _UNIT[table]
    ends = [window.start * unit, (window.end + 1) * unit - 1]
    return f"{_TIME[table]} BETWEEN ? AND ? AND {sql}", [*ends, *values]


def events(
    index: Index, table: str, window: Window, spoils: Spoils, *, limit: int, cursor: str | None, newest_first: bool
) -> Page:
    """One page of at most `limit` events, more if they are doubled. Raises Rejected (400) for a bad query or cursor."""
    sql, values = in_window(index, table, window)
    time = _TIME[table]
    if cursor:
        sql += f" AND ({time}, seq) {'<' if newest_first else '>'} (?, ?)"
        values = [*values, *_position(cursor)]
    order = "DESC" if newest_first else "ASC"
    # First the numbers of the rows, then only these rows with all their columns.
    found = index.query(
        f"SELECT seq, {time} AS time FROM {table} WHERE {sql} ORDER BY {time} {order}, seq {order} LIMIT ?",
        [*values, limit + 1],
    )
    more = len(found) > limit
    found = found[:limit]
    numbers = [row["seq"] for row in found]
    rows = {}
    if numbers:
        places = ", ".join("?" * len(numbers))
        whole = index.query(
            f"SELECT * FROM {table} WHERE seq BETWEEN ? AND ? AND seq IN ({places})",
            [min(numbers), max(numbers), *numbers],
        )
        rows = {row["seq"]: row for row in whole}
    after = _cursor(found[-1]["time"], found[-1]["seq"]) if more else None
    spoiled = spoils.rows(table, [rows[number] for number in numbers if number in rows])
    return Page([_RENDER[table](row) for row in spoiled], after)


def _cursor(time: int, number: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([time, number]).encode()).decode()


def _position(cursor: str) -> tuple[int, int]:
    try:
        time, number = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if not -(2**63) <= int(time) < 2**63 or not -(2**63) <= int(number) < 2**63:
            raise ValueError
        return int(time), int(number)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise Rejected(400, "bad_cursor", "page.cursor: not a cursor of this intake") from None


def _attributes(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {name[1:]: value for name, value in row.items() if name[0] in "@#" and value is not None}
    if row.get("more"):
        found.update(loaded_json(row["more"]))
    return {name: int(it) if isinstance(it, float) and it.is_integer() else it for name, it in found.items()}


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """`http.url` as `{"http": {"url": ...}}`; a name under one that has a value of its own stays dotted."""
    tree: dict[str, Any] = {}
    for name in sorted(flat):
        branch = tree
        *heads, leaf = name.split(".")
        for place, head in enumerate(heads):
            inner = branch.setdefault(head, {})
            if not isinstance(inner, dict):
                leaf = ".".join([*heads[place:], leaf])
                break
            branch = inner
        branch[leaf] = flat[name]
    return tree


def _tags(row: Mapping[str, Any]) -> list[str]:
    return [tag for tag in (row["tags"] or "").split(",") if tag]


def _span(row: dict[str, Any]) -> dict[str, Any]:
    flat = _attributes(row)
    custom = _nested(flat)
    custom["duration"] = row["duration"]
    high = row["trace_high"]
    tags = _tags(row) + [f"{name}:{row[name]}" for name in ("env", "host", "service") if row[name]]
    attributes = {
        "service": row["service"],
        "resource_name": row["resource"],
        "trace_id": f"{high:016x}{row['trace_low']:016x}" if high else str(row["trace_low"]),
        "span_id": str(row["span_id"]),
        "parent_id": str(row["parent_id"]),
        "start_timestamp": iso(row["start"] / 1e6),
        "end_timestamp": iso((row["start"] + row["duration"]) / 1e6),
        "env": row["env"],
        "host": row["host"],
        "type": row["type"],
        "tags": tags,
        "single_span": False,
        "custom": custom,
        "attributes": {
            "operation_name": row["name"],
            "start": row["start"],
            "duration": row["duration"],
            "status": "error" if row["error"] else "ok",
            "span": {"kind": row["kind"]},
            "priority": row["priority"],
        },
    }
    return {"id": f"span-{row['seq']:x}", "type": "spans", "attributes": attributes}


def _log(row: dict[str, Any]) -> dict[str, Any]:
    attributes = {
        "message": row["message"],
        "status": row["status"],
        "service": row["service"],
        "host": row["host"],
        "timestamp": iso(row["timestamp"]),
        "tags": _tags(row) + ([f"source:{row['source']}"] if row["source"] else []),
        "attributes": loaded_json(row["content"]) if row["content"] else {},
    }
    return {"id": f"log-{row['seq']:x}", "type": "log", "attributes": attributes}


def _document(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: row[name] for name in ("kind", "path", "host", "name")}
    content = loaded_json(row["content"]) if row["content"][:1] in ("{", "[") else row["content"]
    return kept | {"received": iso(row["received"]), "tags": _tags(row), "content": content}


_RENDER = {"spans": _span, "logs": _log, "documents": _document}
