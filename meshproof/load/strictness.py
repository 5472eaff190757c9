"""How strictly a run judges: one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meshproof.settings import Strictness

__all__ = ["STRICTNESS", "Strict"]


@dataclass(frozen=True)
class Strict:
    """`margin` in points that a share may be off; `alpha`, how often a verdict may be wrong; `cap`, the requests after
    which an undecided run ends; `requests` of a comparison of latencies."""

    margin: float
    alpha: float
    cap: int
    requests: int


STRICTNESS: Mapping[Strictness, Strict] = {
    # A true 70/30 is certified within 1,700 requests on average, 3,850 in 99 of 100 runs; 65/35 refuted within 3,800.
    Strictness.GATE: Strict(5, 1e-3, 6_000, 5_000),
    # 5,900 on average, 12,400 in 99 of 100 runs.
    Strictness.NIGHTLY: Strict(3, 1e-4, 20_000, 20_000),
}
