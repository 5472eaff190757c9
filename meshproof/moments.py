"""Moments as Kubernetes writes them, as seconds since 1970, and as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["clock", "instant", "seconds"]


def seconds(time: str) -> float:
    """Seconds since 1970 of "2026-05-01T12:00:03Z"."""
    return datetime.fromisoformat(time).timestamp()


def instant(moment: float) -> str:
    """The opposite of `seconds`, to the second: "2026-05-01T12:00:03Z"."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S}Z"


def clock(moment: float) -> str:
    """The time of day in UTC, "12:00:03Z"."""
    return f"{datetime.fromtimestamp(moment, UTC):%H:%M:%S}Z"
