"""Rows on their way into the searchable store: fixed columns as tuples, attributes by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["LOG_COLUMNS", "SPAN_COLUMNS", "EventRows", "Value", "tag_text"]

Value = str | float

# Column names and DuckDB types. Times: start, duration in ns; received, timestamp in ms since 1970.
SPAN_COLUMNS: dict[str, str] = {
    "received": "BIGINT",
    "trace_high": "UBIGINT",
    "trace_low": "UBIGINT",
    "span_id": "UBIGINT",
    "parent_id": "UBIGINT",
    "start": "BIGINT",
    "duration": "BIGINT",
    "error": "BOOLEAN",
    "service": "VARCHAR",
    "name": "VARCHAR",
    "resource": "VARCHAR",
    "type": "VARCHAR",
    "env": "VARCHAR",
    "host": "VARCHAR",
    "kind": "VARCHAR",
    "priority": "INTEGER",
    "tags": "VARCHAR",
}
LOG_COLUMNS: dict[str, str] = {
    "received": "BIGINT",
    "timestamp": "BIGINT",
    "status": "VARCHAR",
    "service": "VARCHAR",
    "host": "VARCHAR",
    "source": "VARCHAR",
    "message": "VARCHAR",
    "tags": "VARCHAR",
    "content": "VARCHAR",
}


@dataclass
class EventRows:
    """Spans or logs. `attributes` maps a name to (row numbers, value): equal values are stated once for many rows."""

    fixed: list[list[object]] = field(default_factory=list)
    attributes: dict[str, list[tuple[Sequence[int], Value]]] = field(default_factory=dict)
    bad_attributes: int = 0

    def attribute(self, name: str, value: Value, rows: Sequence[int]) -> None:
        values = self.attributes.get(name)
        if values is None:
            values = self.attributes[name] = []
        values.append((rows, value))


def tag_text(tags: Sequence[str]) -> str:
    """Tags as one text with a comma before and after each, so that one tag can be found as `,key:value,`."""
    kept = [tag.strip().replace("\n", " ") for tag in tags]
    return f",{','.join(tag for tag in kept if tag)}," if any(kept) else ""
