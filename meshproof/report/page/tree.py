"""Any JSON as something to read: small things in a line, lists of like things as tables, large things folded and cut,
with their size told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from meshproof.report.page.markup import joined, number, size, tag
from meshproof.report.page.tables import Box, boxes

__all__ = ["tree"]

_DEPTH = 7
_ITEMS = 40
_TEXT = 4000
_SHOWN = 600
"""Characters of a text that are shown without being asked for."""
_LINE = 120
_COLUMNS = 7
_FOLD = 1200
"""Characters of JSON above which something nested is folded."""
_MOST = 24_000
"""Characters of JSON above which the rest is left to results.json."""


def tree(value: Any) -> Markup:
    """A value of JSON's types."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > _MOST and not isinstance(value, str):
        said = f"{_count(value)}, {size(len(text.encode()))} of JSON; the whole is in results.json under this name"
        return joined([_value(value, 0, tight=True), tag("p", said, class_="cut")])
    return _value(value, 0)


def _value(value: Any, depth: int, *, tight: bool = False) -> Markup:
    if isinstance(value, Mapping) and value:
        return _mapping(value, depth, tight)
    if isinstance(value, list) and value:
        return _list(value, depth, tight)
    return _scalar(value)


def _scalar(value: Any) -> Markup:
    if isinstance(value, str):
        return _text(value)
    if value is None or value == [] or value == {}:
        return tag("span", "none" if value is None else "empty", class_="none")
    if isinstance(value, bool):
        return tag("span", "yes" if value else "no")
    return tag("span", number(value) if isinstance(value, float) else str(value))


def _text(value: str) -> Markup:
    if not value:
        return tag("span", "empty", class_="none")
    if "\n" not in value.strip() and len(value) <= _LINE:
        return tag("span", value)
    cut = f"… cut: {size(len(value.encode()))} in all, in results.json" if len(value) > _TEXT else None
    block = joined([tag("pre", value[:_TEXT], tabindex="0"), tag("p", cut, class_="cut") if cut else None])
    if len(value) <= _SHOWN:
        return block
    return tag("details", tag("summary", f"{value[:60].strip()} … ({size(len(value.encode()))})"), block, class_="fold")


def _mapping(value: Mapping[str, Any], depth: int, tight: bool) -> Markup:
    if depth >= _DEPTH:
        return _too_deep(value)
    most = 8 if tight and depth else _ITEMS
    rows = [
        tag("div", tag("dt", key), tag("dd", _folded(item, depth, tight))) for key, item in list(value.items())[:most]
    ]
    return joined([tag("dl", *rows, class_="tree"), _left_out(len(value), most)])


def _list(value: Sequence[Any], depth: int, tight: bool) -> Markup:
    if depth >= _DEPTH:
        return _too_deep(value)
    most = 8 if tight else _ITEMS
    if all(_is_short(item) for item in value):
        return joined([tag("span", _listed(value[:most]), class_="items"), _left_out(len(value), most)])
    columns = _columns(value)
    if columns:
        return joined([_table(value[:most], columns, depth, tight), _left_out(len(value), most)])
    items = [tag("li", _folded(item, depth, tight)) for item in value[:most]]
    return joined([tag("ol", *items, class_="tree"), _left_out(len(value), most)])


def _folded(value: Any, depth: int, tight: bool) -> Markup:
    """Something nested that is long, behind a line that says what it is."""
    if not isinstance(value, Mapping | list) or not value:
        return _scalar(value)
    inside = _value(value, depth + 1, tight=tight)
    length = len(json.dumps(value, ensure_ascii=False, default=str))
    if length <= _LINE or (length <= _FOLD and 1 <= depth <= 2):
        return inside
    return tag("details", tag("summary", f"{_name(value)}{_count(value)}, {size(length)}"), inside, class_="fold")


def _name(value: Any) -> str:
    """What an object calls itself."""
    found = next((value[key] for key in ("name", "id", "pod", "what") if key in value), "") if value else ""
    return f"{found}: " if isinstance(value, Mapping) and isinstance(found, str) and 0 < len(found) <= 60 else ""


def _columns(value: Sequence[Any]) -> list[str]:
    """The columns of a list of like objects: their short fields."""
    if len(value) < 2 or not all(isinstance(item, Mapping) and item for item in value):
        return []
    names = list(dict.fromkeys(key for item in value for key in item))
    alike = sum(len(item) for item in value) > 0.7 * len(names) * len(value)
    short = [name for name in names if all(_is_flat(item.get(name)) for item in value)]
    return short[:_COLUMNS] if alike else []


def _table(value: Sequence[Any], columns: Sequence[str], depth: int, tight: bool) -> Markup:
    """A row an object; the fields that have no column are folded behind the last one."""
    rests = [{key: field for key, field in item.items() if key not in columns} for item in value]
    rows = [[Box(_cell(item.get(column))) for column in columns] for item in value]
    if any(rests):
        for row, rest in zip(rows, rests, strict=True):
            inside = _value(rest, depth + 1, tight=tight)
            more = tag("details", tag("summary", _count(rest)), inside, class_="fold") if rest else None
            row.append(Box(more))
    return boxes([*columns, *(["more"] if any(rests) else [])], rows)


def _cell(value: Any) -> Markup:
    return tag("span", _listed(value)) if isinstance(value, list) and value else _scalar(value)


def _is_flat(value: Any) -> bool:
    """Whether it fits into a cell: a short value, or a list of few."""
    if isinstance(value, list):
        return all(_is_short(item) for item in value) and len(_listed(value)) <= 60
    return _is_short(value)


def _listed(value: Sequence[Any]) -> str:
    return ", ".join(_words(item) for item in value)


def _is_short(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= 60 and "\n" not in value
    return not isinstance(value, Mapping | list) or not value


def _words(value: Any) -> str:
    return "none" if value is None else number(value) if isinstance(value, float) else str(value)


def _count(value: Any) -> str:
    one, many = ("field", "fields") if isinstance(value, Mapping) else ("entry", "entries")
    return f"{len(value)} {one if len(value) == 1 else many}"


def _left_out(count: int, most: int) -> Markup | None:
    return tag("p", f"… and {count - most} more, in results.json", class_="cut") if count > most else None


def _too_deep(value: Any) -> Markup:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return _text(text)
