"""Nested attributes by dotted names, as queries name them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["flattened", "get_attribute", "remove_attribute", "set_attribute"]

_DEEPEST = 20


def flattened(attributes: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, str | float]:
    """`{"http": {"status_code": 200}}` as `{"http.status_code": 200.0}`; lists as their JSON text."""
    flat: dict[str, str | float] = {}
    for key, value in attributes.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and depth < _DEEPEST:
            flat.update(flattened(value, f"{name}.", depth + 1))
        elif isinstance(value, bool):
            flat[name] = json.dumps(value)
        elif isinstance(value, int | float):
            flat[name] = float(value) if abs(value) < 2**53 else str(value)[:100]
        elif value is not None:
            flat[name] = value if isinstance(value, str) else json.dumps(value)
    return flat


def get_attribute(attributes: Mapping[str, Any], path: str) -> Any:
    """The value of that dotted name; None when there is none."""
    if path in attributes:
        return attributes[path]
    head, _, rest = path.partition(".")
    inner = attributes.get(head)
    return get_attribute(inner, rest) if rest and isinstance(inner, Mapping) else None


def set_attribute(attributes: dict[str, Any], path: str, value: Any) -> None:
    """Put a value under a dotted name."""
    head, _, rest = path.partition(".")
    inner = attributes.setdefault(head, {}) if rest else None
    if isinstance(inner, dict):
        set_attribute(inner, rest, value)
    else:  # `head` is a value of its own: the dotted name stays whole
        attributes[path] = value


def remove_attribute(attributes: dict[str, Any], path: str) -> None:
    """Take a value away, and what it alone was in."""
    if path in attributes:
        del attributes[path]
        return
    head, _, rest = path.partition(".")
    inner = attributes.get(head)
    if rest and isinstance(inner, dict):
        remove_attribute(inner, rest)
        if not inner:
            del attributes[head]
