"""From values to places on an axis, with ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meshproof.report.page.markup import number

__all__ = ["Axis", "linear", "logarithmic", "named", "quantile"]


@dataclass(frozen=True)
class Axis:
    """`ticks` are (value, its words); values are projected by `scale`, and `low` and `high` are the ends after that."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    scale: Callable[[float], float] = float

    def percent(self, value: float) -> float:
        """Where a value lies between the ends, 0 to 100; what lies outside is drawn at the end, infinity, too."""
        place = (self.scale(value) - self.low) / ((self.high - self.low) or 1.0)
        return 100 * min(max(place, 0.0), 1.0)


def linear(label: str, values: Sequence[float], *, zero: bool = False, room: float = 0.06) -> Axis:
    """An even axis around the values, with some room; from zero if told to."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    low = min(low, 0.0) if zero else low
    spread = (high - low) or abs(high) or 1.0
    bottom = low if zero and low == 0 else low - room * spread
    top = high + room * spread
    if top <= bottom:  # one value, and no room around it
        bottom, top = bottom - spread / 2, top + spread / 2
    step = _round_step((top - bottom) / 6)
    first, last = math.ceil(bottom / step - 1e-9), math.floor(top / step + 1e-9)
    ticks = tuple((count * step, _stepped(count * step, step)) for count in range(first, last + 1))
    return Axis(label, bottom, top, ticks)


def logarithmic(label: str, values: Sequence[float]) -> Axis:
    """A logarithmic axis around positive values, ticks at powers of ten and at as many round places between as fit."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = math.log10(min(positive)), math.log10(max(positive))
    room = 0.06 * ((high - low) or 1.0)
    low, high = low - room, high + room
    powers = range(math.floor(low), math.ceil(high) + 1)
    digits = {1.0: (1, 1.5, 2, 3, 5, 7), 2.5: (1, 2, 5), 4.0: (1, 3)}
    few = next((some for most, some in digits.items() if high - low <= most), (1,))
    places = [digit * 10.0**power for power in powers for digit in few]
    places = [place for place in places if low <= math.log10(place) <= high]
    places = places[:: math.ceil(len(places) / 9)] if places else []
    ticks = tuple((place, f"{place:.0e}".replace("e+0", "e") if place >= 1e6 else number(place)) for place in places)
    return Axis(label, low, high, ticks, lambda value: math.log10(value) if value > 0 else low)


def quantile(label: str, quantiles: Sequence[float]) -> Axis:
    """Quantiles so that each further nine of the tail takes as much room: 50, 90, 99, 99.9 %."""

    def scale(value: float) -> float:
        return -math.log10(max(1 - value, 1e-9))

    known = (0.0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999)
    low, high = scale(min(quantiles, default=0.0)), scale(max(quantiles, default=0.99))
    ticks = [value for value in known if low - 1e-9 <= scale(value) <= high + 1e-9]
    roomy = [value for value in ticks if value not in (0.75, 0.95)] if high - low > 1.2 else ticks
    return Axis(label, low, high, tuple((value, f"p{100 * value:.6g}") for value in roomy), scale)


def named(label: str, names: Sequence[str], *, most: int = 4) -> Axis:
    """Evenly spaced names at 0, 1, 2, ...; not all of them are written."""
    last = max(len(names) - 1, 1)
    step = max(1, math.ceil(len(names) / most))
    ticks = tuple((float(place), names[place]) for place in range(len(names) - 1, -1, -step))
    return Axis(label, -0.03 * last, 1.03 * last, ticks)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(digit * power for digit in (1, 2, 2.5, 5, 10) if digit * power >= rough * 0.999)


def _stepped(value: float, step: float) -> str:
    """With the digits that the step needs."""
    if abs(value) < step / 2:
        return "0"
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    digits += step * 10**digits % 1 > 1e-6  # a step of 2.5 needs one more
    return f"{value:,.{digits}f}"
