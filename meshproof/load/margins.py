"""How much slower and less reliable a canary may be: one table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from meshproof.errors import UsageError
from meshproof.secrecy import shown

__all__ = ["MARGINS", "Margins", "margins_of"]


@dataclass(frozen=True)
class Margins:
    """Tolerated ratios canary / baseline: of latency quantiles, by quantile, and of the error rate."""

    quantiles: tuple[tuple[float, float], ...]
    errors: float


MARGINS: Mapping[str, Margins] = {
    # A new version of the same program.
    "default": Margins(((0.5, 1.10), (0.9, 1.15), (0.99, 1.30)), 1.5),
    # The sample apps: the baseline is compiled, the canary is not. Side by side without a mesh, at 200 requests a
    # second each, the canary took 1.4 times as long at p50, twice at p90 and up to 13 times at p99, on busy cores.
    "sample-apps": Margins(((0.5, 3.0), (0.9, 3.0), (0.99, 4.0)), 1.5),
}


def margins_of(text: str) -> Margins:
    """A name from the table, or margins like "p50=1.1,p90=1.2,errors=2"; quantiles left out are not judged.

    Raises UsageError.
    """
    if text in MARGINS:
        return MARGINS[text]
    quantiles, errors = [], MARGINS["default"].errors
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        try:
            margin = float(value)
            if not math.isfinite(margin):
                raise ValueError
            if name == "errors":
                errors = margin
            else:
                quantiles.append((float(name.removeprefix("p")) / 100, margin))
        except ValueError:
            remedy = f"give {', '.join(MARGINS)}, or margins like p50=1.1,p99=1.3,errors=1.5"
            raise UsageError("these are no margins", seen=shown(text), remedy=remedy) from None
    return Margins(tuple(quantiles), errors)
