"""What a check saw, attached to its result."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set
from enum import Enum
from pathlib import Path
from typing import Any

__all__ = ["Evidence", "as_plain"]

_TEXT_LIMIT = 20_000


class Evidence:
    """The evidence of one check: named things in the order in which they were seen."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []

    def add(self, name: str, seen: object) -> None:
        """Keep what was seen under a name that says what it is. The value is copied to plain JSON types at once."""
        self.items.append({"name": name, "seen": as_plain(seen)})


def as_plain(value: object) -> Any:
    """The value in JSON's types: dataclasses and mappings as objects, long text cut with a note of its length."""
    if hasattr(value, "as_evidence"):
        return as_plain(value.as_evidence())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return as_plain(value.decode(errors="replace"))
    if isinstance(value, str):
        return value if len(value) <= _TEXT_LIMIT else f"{value[:_TEXT_LIMIT]} ... ({len(value)} characters)"
    if isinstance(value, Enum):
        return as_plain(value.value)
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, Set):
        return sorted((as_plain(item) for item in value), key=str)
    if isinstance(value, Sequence):
        return [as_plain(item) for item in value]
    if isinstance(value, Path):
        return value.as_posix()
    return str(value)
