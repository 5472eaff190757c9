"""A run of load that several checks look at, and how a check ends by its verdict."""

from __future__ import annotations

from dataclasses import dataclass

from meshproof.errors import Inconclusive, InvalidMeasurement
from meshproof.load.counters import Readings
from meshproof.load.rows import Rows
from meshproof.verdict import Verdict

__all__ = ["Measured", "conforms"]


@dataclass(frozen=True)
class Measured:
    """A run: `told` is what it said at its end, `before` and `after` what the proxies counted that made the choice."""

    verdict: Verdict
    told: str
    run_id: str
    rows: Rows
    before: Readings
    after: Readings


def conforms(verdict: Verdict, told: str) -> None:
    """Return when it is CONFORM.

    Raises InvalidMeasurement, Inconclusive or AssertionError otherwise, with what the run told.
    """
    if verdict is Verdict.INVALID:
        raise InvalidMeasurement("the load could not be judged", seen=told)
    if verdict is Verdict.INCONCLUSIVE:
        raise Inconclusive("the requests did not decide", seen=told)
    assert verdict is Verdict.CONFORM, told
