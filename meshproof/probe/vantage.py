"""Places that requests are sent from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from meshproof.probe.outcome import Outcome
from meshproof.probe.request import Request

__all__ = ["Vantage"]


class Vantage(Protocol):
    """A place that requests are sent from; `name` says which, for people."""

    @property
    def name(self) -> str:
        """Such as "host" or "pod apps/alpine-1 (alpine)"."""
        ...

    def send(self, request: Request) -> Outcome:
        """Send one request over a new connection. Raises InvalidMeasurement when it could not even be tried."""
        ...

    def send_all(self, requests: Sequence[Request], *, parallel: int = 1) -> list[Outcome]:
        """Send many, at most `parallel` at once; the outcomes in the order of the requests."""
        ...
