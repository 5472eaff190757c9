"""A query's tree as an SQL condition with its values."""

from __future__ import annotations

import re

from meshproof.intake.fields import FREE_TEXT, IDENTIFIERS, Fields
from meshproof.intake.language import (
    All,
    And,
    Exact,
    Node,
    Not,
    Or,
    Range,
    Term,
    Wildcard,
    unsupported,
    wildcard_pattern,
)

__all__ = ["Condition", "condition"]

Condition = tuple[str, list[object]]


def condition(node: Node, fields: Fields) -> Condition:
    """`sql` with ? for each of the values. Raises Rejected (400) for a name that cannot be compared like that."""
    match node:
        case All():
            return "TRUE", []
        case Not(part):
            sql, values = condition(part, fields)
            # What has no such attribute does match the negation.
            return f"NOT coalesce({sql}, FALSE)", values
        case And(parts):
            return _joined(" AND ", [condition(part, fields) for part in parts])
        case Or(parts):
            return _joined(" OR ", [condition(part, fields) for part in parts])
        case Term(None, wanted):
            return _free_text(wanted, fields.table)
        case Term(str() as name, wanted):
            if fields.table == "spans" and name in IDENTIFIERS:
                return _identifier(name, wanted)
            return _named(name, wanted, fields)
    raise AssertionError(node)


def _joined(word: str, conditions: list[Condition]) -> Condition:
    return f"({word.join(sql for sql, _ in conditions)})", [value for _, values in conditions for value in values]


def _free_text(wanted: Exact | Wildcard | Range, table: str) -> Condition:
    columns = FREE_TEXT.get(table)
    if columns is None or isinstance(wanted, Range):
        raise unsupported("free text here: use name:value")
    conditions: list[Condition] = []
    for column in columns:
        if isinstance(wanted, Wildcard):
            conditions.append((f"{column} ILIKE ? ESCAPE '\\'", [f"%{_like(wanted)}%"]))
            continue
        pattern = rf"(?i)(^|\W){re.escape(wanted.text)}(\W|$)"
        # The cheap test first: most lines fail it.
        contains = f"{column} ILIKE ? ESCAPE '\\'"
        conditions.append((f"({contains} AND regexp_matches({column}, ?))", [f"%{_escaped(wanted.text)}%", pattern]))
    return _joined(" OR ", conditions)


def _identifier(name: str, wanted: Exact | Wildcard | Range) -> Condition:
    """Ids as decimal numbers (the lower 64 bits), or 32 hexadecimal digits for a trace."""
    if not isinstance(wanted, Exact):
        raise unsupported(f"{name}: with anything but one id")
    text = wanted.text.strip().lower()
    if name == "trace_id" and re.fullmatch(r"[0-9a-f]{32}", text):
        return "(trace_high = ? AND trace_low = ?)", [int(text[:16], 16), int(text[16:], 16)]
    if re.fullmatch(r"\d{1,20}", text) and int(text) < 2**64:
        return f"{IDENTIFIERS[name]} = ?", [int(text)]
    return "FALSE", []


def _named(name: str, wanted: Exact | Wildcard | Range, fields: Fields) -> Condition:
    field = fields.named(name)
    if field.tag is not None:
        return _tagged(field.tag, wanted, fields)
    match wanted:
        case Range():
            return _between(fields.as_number(name), wanted)
        case Wildcard(parts) if parts == ("*",):
            return f"({fields.as_text(name)}) IS NOT NULL", []
        case Wildcard():
            return f"({fields.as_text(name)}) LIKE ? ESCAPE '\\'", [_like(wanted)]
        case Exact(text):
            conditions: list[Condition] = []
            if field.text is not None:
                conditions.append((f"{field.text} = ?", [text]))
            if field.number is not None:
                number = _as_number(text)
                conditions.append(("FALSE", []) if number is None else (f"{field.number} = ?", [number]))
            return _joined(" OR ", [(f"coalesce({sql}, FALSE)", values) for sql, values in conditions])


def _tagged(key: str, wanted: Exact | Wildcard | Range, fields: Fields) -> Condition:
    match wanted:
        case Exact(text):
            return "contains(tags, ?)", [f",{key}:{text},"]
        case Wildcard():
            pattern = wildcard_pattern(wanted, anything="[^,]*", one="[^,]")
            return "regexp_matches(tags, ?)", [f",{re.escape(key)}:{pattern},"]
        case Range():
            return _between(fields.as_number(key), wanted)


def _between(number: str, wanted: Range) -> Condition:
    conditions: list[Condition] = []
    if wanted.low is not None:
        conditions.append((f"{number} {'>=' if wanted.with_low else '>'} ?", [wanted.low]))
    if wanted.high is not None:
        conditions.append((f"{number} {'<=' if wanted.with_high else '<'} ?", [wanted.high]))
    return _joined(" AND ", conditions or [(f"{number} IS NOT NULL", [])])


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _escaped(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def _like(wildcard: Wildcard) -> str:
    table = {"*": "%", "?": "_", "\\*": "*", "\\?": "?"}
    return "".join(table.get(part) or _escaped(part) for part in wildcard.parts)
