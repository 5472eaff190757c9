"""Names of a query as SQL over the index: reserved fields, attributes (`@name`) and tags (`name`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from meshproof.intake.index import Index, quoted

__all__ = ["FREE_TEXT", "IDENTIFIERS", "Field", "Fields"]

_RESERVED = {
    "spans": {
        "service": '"service"',
        "env": '"env"',
        "host": '"host"',
        "type": '"type"',
        "resource_name": '"resource"',
        "operation_name": '"name"',
        "status": "CASE WHEN \"error\" THEN 'error' ELSE 'ok' END",
        "span.kind": '"kind"',
    },
    "logs": {name: f'"{name}"' for name in ("service", "host", "source", "status", "message")},
    "documents": {name: f'"{name}"' for name in ("kind", "path", "host", "name")},
    "metrics": {"host": '"host"'},
    "sketches": {"host": '"host"'},
}
_NUMBERS = {
    "spans": {"@duration": '"duration"', "duration": '"duration"'},
    "logs": {},
    "documents": {},
    "metrics": {},
    "sketches": {},
}
FREE_TEXT = {
    "spans": ('"resource"', '"service"', '"name"'),
    "logs": ('"message"',),
    "documents": ('"name"', '"content"'),
}
IDENTIFIERS = {"trace_id": "trace_low", "span_id": "span_id", "parent_id": "parent_id"}


@dataclass(frozen=True)
class Field:
    """SQL expressions of one name; `number` only where the value itself is a number; `tag` when it is a tag's key."""

    text: str | None = None
    number: str | None = None
    tag: str | None = None


class Fields:
    """The names that one table of the index has now."""

    def __init__(self, index: Index, table: str) -> None:
        self.table = table
        self._columns = index.attribute_columns(table) if table in ("spans", "logs") else frozenset()

    def named(self, name: str) -> Field:
        if name in _NUMBERS[self.table] and f"#{name[1:]}" not in self._columns:
            return Field(number=_NUMBERS[self.table][name])
        if name in _RESERVED[self.table]:
            return Field(text=_RESERVED[self.table][name])
        if not name.startswith("@") or self.table not in ("spans", "logs"):
            return Field(tag=name)
        text, number = f"@{name[1:]}", f"#{name[1:]}"
        more = f'json_extract_string("more", \'$."{_json_path(name[1:])}"\')'
        known_text = quoted(text) if text in self._columns else None
        known_number = quoted(number) if number in self._columns else None
        if known_text is None and known_number is None:
            return Field(text=more)
        return Field(text=known_text, number=known_number)

    def as_text(self, name: str) -> str:
        """An expression of type VARCHAR: the value as it is grouped and shown; whole numbers without a point."""
        field = self.named(name)
        if field.tag is not None:
            pattern = f",{re.escape(field.tag)}:([^,]*),".replace("'", "''")
            return f"nullif(regexp_extract(tags, '{pattern}', 1), '')"
        parts = [field.text] if field.text else []
        if field.number:
            number = f"CAST({field.number} AS DOUBLE)"
            whole = f"abs({number}) < 1e15 AND {number} = floor({number})"
            parts.append(
                f"CASE WHEN {whole} THEN CAST(CAST({number} AS BIGINT) AS VARCHAR) ELSE CAST({number} AS VARCHAR) END"
            )
        return parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"

    def as_number(self, name: str) -> str:
        """An expression of type DOUBLE; NULL where the value is not a number."""
        field = self.named(name)
        if field.tag is not None:
            return f"TRY_CAST({self.as_text(name)} AS DOUBLE)"
        parts = [f"CAST({field.number} AS DOUBLE)"] if field.number else []
        if field.text:
            parts.append(f"TRY_CAST({field.text} AS DOUBLE)")
        return parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"


def _json_path(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
