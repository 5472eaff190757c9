"""HTML and SVG elements from Python, escaped; numbers and sizes as people read them."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

__all__ = ["joined", "number", "seconds", "size", "tag"]

_EMPTY = {"br", "col", "hr", "wbr"}
Content = str | Markup | None
Attribute = str | int | float | bool | None


def tag(name: str, *children: Content, **attributes: Attribute) -> Markup:
    """An element. Attributes: class_ is class, underscores are dashes, None and False are left out, True has no value.
    Children that are not Markup are escaped; None is left out."""
    words = [f"<{name}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        given = key.rstrip("_") if key in ("class_", "for_") else key if key == "viewBox" else key.replace("_", "-")
        words.append(f" {given}" if value is True else f' {given}="{escape(_plain(value))}"')
    inside = "".join(escape(child) for child in children if child is not None)
    return Markup("".join(words) + (">" if name in _EMPTY else f">{inside}</{name}>"))  # noqa: S704  escaped above


def joined(parts: Iterable[Content]) -> Markup:
    """The parts one after the other, escaped where they are not Markup."""
    return Markup("").join(part for part in parts if part is not None)


def number(value: float, digits: int = 3) -> str:
    """So many digits that count, thousands apart, and whole numbers whole: 12,345; 45.3; 0.00123."""
    size_of = abs(value)
    if value == int(value) or size_of >= 10 ** max(digits, 3):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}" if size_of >= 1e-4 else f"{value:.{digits - 1}e}"


def seconds(value: float) -> str:
    """A duration in the unit that fits it."""
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 119.5:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def size(count: int) -> str:
    """A number of bytes in the unit that fits it."""
    for unit, step in (("MB", 1_000_000), ("kB", 1_000)):
        if count >= step:
            return f"{count / step:.3g} {unit}"
    return f"{count} bytes"


def _plain(value: Attribute) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
