"""Times in requests: `now-15m`, ISO 8601, or ms since 1970; in answers: ISO 8601 with milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from meshproof.intake.rejections import Rejected

__all__ = ["iso", "milliseconds_of", "seconds_of_interval"]

_RELATIVE = re.compile(r"now(?:([+-])(\d{1,9})(ms|s|m|h|d|w|mo|y))?(?:/[smhdwMy])?")
_INTERVAL = re.compile(r"(\d{1,9})(ms|s|m|h|d|w|mo|y)")
_MILLISECONDS = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "mo": 2_592_000_000,
    "y": 31_536_000_000,
}
_SMALLEST, _LARGEST = -(2**52), 2**52


def milliseconds_of(text: object, now: int) -> int:
    """ms since 1970. Raises Rejected (400) for what is no time."""
    word = str(text).strip()
    relative = _RELATIVE.fullmatch(word)
    if relative:
        sign, amount, unit = relative.groups()
        return now + (int(f"{sign}{amount}") * _MILLISECONDS[unit] if unit else 0)
    if re.fullmatch(r"-?\d{1,16}", word):
        return max(_SMALLEST, min(_LARGEST, int(word)))
    try:
        moment = datetime.fromisoformat(word)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Rejected(400, "bad_time", f"no time: {word[:60]!r}; use now-15m, ISO 8601 or ms since 1970") from None


def seconds_of_interval(text: object) -> float:
    """The length of `5m` in seconds. Raises Rejected (400)."""
    found = _INTERVAL.fullmatch(str(text))
    if found is None or int(found[1]) == 0:
        raise Rejected(400, "bad_interval", f"no interval: {str(text)[:40]!r}; use for example 5m")
    return int(found[1]) * _MILLISECONDS[found[2]] / 1000


def iso(milliseconds: float) -> str:
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        moment = datetime.fromtimestamp(0, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
