"""Nested attributes by dotted names, as queries name them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["flattened"]

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
