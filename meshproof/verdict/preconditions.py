"""When a measurement measured nothing: the reasons for INVALID, checked before any statistics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from meshproof.verdict.arrays import as_shares
from meshproof.verdict.attribution import share_bounds

__all__ = ["Bounds", "Broken", "Conditions", "Reason", "broken_preconditions", "idle_arms", "too_many_unattributed"]


class Reason(StrEnum):
    """Why there is no verdict."""

    NOT_SETTLED = "configuration not settled"
    INCOMPLETE = "requests not accounted for"
    UNATTRIBUTED = "too many unattributed requests"
    UNPUNCTUAL = "late or dropped starts"
    SATURATED = "client CPU saturated"
    NO_TRAFFIC = "an arm without traffic"


@dataclass(frozen=True)
class Broken:
    """A precondition that did not hold, with the figures that show it."""

    reason: Reason
    detail: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True)
class Bounds:
    """What is still tolerated, as fractions: of all requests, of all planned starts, of a CPU."""

    unattributed: float = 0.01
    unpunctual: float = 0.01
    cpu: float = 0.8


@dataclass(frozen=True)
class Conditions:
    """How the load was made. `unsettled` names what did not hold the configuration under test; `cpu` is the load
    generator's busiest process, as a fraction of one CPU."""

    planned: int
    late: int = 0
    dropped: int = 0
    cpu: float = 0.0
    unsettled: tuple[str, ...] = ()


def broken_preconditions(conditions: Conditions, bounds: Bounds | None = None) -> tuple[Broken, ...]:
    """Every precondition of the load that did not hold."""
    bounds = bounds or Bounds()
    broken = []
    if conditions.unsettled:
        broken.append(Broken(Reason.NOT_SETTLED, ", ".join(conditions.unsettled)))
    unpunctual = conditions.late + conditions.dropped
    if unpunctual > bounds.unpunctual * conditions.planned:
        seen = f"{conditions.late} late and {conditions.dropped} dropped of {conditions.planned} starts"
        broken.append(Broken(Reason.UNPUNCTUAL, f"{seen}, at most {bounds.unpunctual:.1%} are tolerated"))
    if conditions.cpu > bounds.cpu:
        broken.append(Broken(Reason.SATURATED, f"{conditions.cpu:.0%} of a CPU, at most {bounds.cpu:.0%} is tolerated"))
    return tuple(broken)


def too_many_unattributed(counts: ArrayLike, unattributed: int, bound: float) -> Broken | None:
    """Broken, with bounds on every arm's share, when more than this fraction of the requests names no arm."""
    k = np.asarray(counts, dtype=np.int64)
    total = int(k.sum()) + unattributed
    if unattributed <= bound * total:
        return None
    ends = ", ".join(f"{low:.1%} to {high:.1%}" for low, high in share_bounds(k, unattributed))
    detail = f"{unattributed} of {total}, at most {bound:.1%} is tolerated; the arms' shares lie between {ends}"
    return Broken(Reason.UNATTRIBUTED, detail)


def idle_arms(counts: ArrayLike, weights: ArrayLike) -> Broken | None:
    """Broken when an arm that has a weight got no request, so that it cannot be compared."""
    idle = np.flatnonzero((np.asarray(counts) == 0) & (as_shares(weights) > 0))
    return Broken(Reason.NO_TRAFFIC, "arm " + ", ".join(str(arm) for arm in idle)) if idle.size else None
