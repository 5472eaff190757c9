"""What became of a steady load while one component after the other was restarted: pure, from rows and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meshproof.errors import InvalidMeasurement
from meshproof.load.rows import Rows

__all__ = ["BETWEEN", "Restart", "Window", "faults", "pace", "quantiles", "windows"]

BETWEEN = "no restart"
"""The window of all requests that no restart can be blamed for."""


@dataclass(frozen=True)
class Restart:
    """One restart: from when it was asked for to when it was complete, in microseconds since 1970."""

    name: str
    began: int
    ended: int
    may_lose: int


@dataclass(frozen=True)
class Window:
    """The requests that were due during one restart, or during none. `longest` is the longest stretch of failed
    requests without one answered between them, in seconds."""

    name: str
    requests: int
    lost: int
    may_lose: int
    longest: float

    @property
    def holds(self) -> bool:
        """No more was lost than may be."""
        return self.lost <= self.may_lose


def windows(rows: Rows, restarts: Sequence[Restart], settle: float) -> tuple[Window, ...]:
    """One window a restart, in their order, and one for the rest.

    A request belongs to the restart during which it was due or under way, or whose end was at most `settle` seconds
    before: connections to what has ended fail when they are used next. Each request belongs to one window: where two
    restarts could be blamed, to the later one.
    """
    owner = np.full(len(rows), -1)
    for place, restart in enumerate(restarts):
        owner[(rows.end >= restart.began) & (rows.intended <= restart.ended + settle * 1e6)] = place
    found = [_window(one.name, rows.where(owner == place), one.may_lose) for place, one in enumerate(restarts)]
    return (*found, _window(BETWEEN, rows.where(owner == -1), 0))


def faults(found: Sequence[Window]) -> list[str]:
    """What was lost beyond the budgets, in words.

    Raises InvalidMeasurement when a restart saw no request: then it was not tried under load.
    """
    idle = [window.name for window in found if not window.requests and window.name != BETWEEN]
    if idle:
        raise InvalidMeasurement("no request was due during a restart", seen=", ".join(idle))
    return [
        f"{window.name}: {window.lost} of {window.requests} requests were lost, {window.may_lose} may be "
        f"(longest stretch {window.longest:.1f} s)"
        for window in found
        if not window.holds
    ]


def quantiles(rows: Rows, restarts: Sequence[Restart], asked: Sequence[float]) -> tuple[list[float], list[float]]:
    """Latency quantiles in seconds, of answered requests from their intended start, before the first restart and after
    the last.

    Raises InvalidMeasurement when one of the two has fewer than 100 requests.
    """
    good = rows.where(~rows.failed)
    first, last = min(one.began for one in restarts), max(one.ended for one in restarts)
    before, after = good.response[good.end < first], good.response[good.intended > last]
    if min(before.size, after.size) < 100:
        seen = f"{before.size} before the first restart, {after.size} after the last"
        raise InvalidMeasurement("there are too few requests to compare latencies", seen=seen)
    return [float(q) for q in np.quantile(before, asked)], [float(q) for q in np.quantile(after, asked)]


def pace(seconds: float, restarts: int) -> list[float]:
    """When each restart may begin, in seconds after the start: evenly, with as much time before the first and after the
    last as between two."""
    return [seconds * (place + 1) / (restarts + 1) for place in range(restarts)]


def _window(name: str, rows: Rows, may_lose: int) -> Window:
    return Window(name, len(rows), int(np.count_nonzero(rows.failed)), may_lose, _longest(rows))


def _longest(rows: Rows) -> float:
    """From the first start of a run of failures to the end of its last, for the longest run."""
    failed = rows.failed
    longest: float = 0.0
    began: int | None = None
    for place in np.argsort(rows.intended, kind="stable"):
        if not failed[place]:
            began = None
            continue
        began = int(rows.intended[place]) if began is None else began
        longest = max(longest, (int(rows.end[place]) - began) / 1e6)
    return longest
