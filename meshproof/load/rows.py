"""A row for every request that was sent, failed ones included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meshproof.verdict.arrays import Bools, Floats, Ints

__all__ = ["Row", "Rows", "request_mark"]

Texts = NDArray[np.object_]


def request_mark(user: int, start: int) -> str:
    """What tells one request from all others of its run, behind the run's mark in its User-Agent: no two requests of
    one user start in the same microsecond."""
    return f"({user}.{start})"


class Row(NamedTuple):
    """One request. Times in microseconds since 1970; `status` 0 is no whole answer, and `error` says why.

    `version` and `revision` are what the answer's headers said, None without them. `connection` and `user` are numbers
    that are unique in a run: `user` is the client's, who keeps one connection as long as it lasts.
    """

    intended: int
    start: int
    end: int
    status: int
    version: str | None
    connection: int
    user: int
    bytes: int
    error: str | None = None
    revision: str | None = None


@dataclass(frozen=True)
class Rows:
    """Many rows as columns, all of one length; see Row."""

    intended: Ints
    start: Ints
    end: Ints
    status: Ints
    version: Texts
    connection: Ints
    user: Ints
    bytes: Ints
    error: Texts
    revision: Texts

    @classmethod
    def of(cls, rows: Iterable[Sequence[Any]]) -> Rows:
        """Rows, or what became of them on their way through a message."""
        columns = list(zip(*rows, strict=True)) or [()] * len(Row._fields)
        return cls(*(_column(name, values) for name, values in zip(Row._fields, columns, strict=True)))

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """All rows of all parts, in that order."""
        if not parts:
            return cls.of([])
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def __len__(self) -> int:
        return int(self.start.size)

    def where(self, chosen: Bools | Ints | slice) -> Rows:
        """The chosen rows."""
        return Rows(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def in_order(self) -> Rows:
        """By their starts, equal ones by their connections."""
        return self.where(np.lexsort((self.connection, self.start)))

    def arm(self, arms: Sequence[str]) -> Ints:
        """The place of each row's version in `arms`, -1 for any other and for none."""
        known = {name: place for place, name in enumerate(arms)}
        return np.fromiter((known.get(name, -1) for name in self.version), dtype=np.int64, count=len(self))

    @property
    def service(self) -> Floats:
        """Seconds from the real start to the end of each request."""
        return np.asarray((self.end - self.start) / 1e6, dtype=np.float64)

    @property
    def response(self) -> Floats:
        """Seconds from the intended start to the end of each request: what a user waits who does not know of queues."""
        return np.asarray((self.end - self.intended) / 1e6, dtype=np.float64)

    @property
    def failed(self) -> Bools:
        """No whole answer, or a 5xx."""
        return np.asarray((self.status == 0) | (self.status >= 500), dtype=np.bool_)


def _column(name: str, values: Sequence[Any]) -> NDArray[Any]:
    if name in ("version", "error", "revision"):
        return np.array(values, dtype=np.object_)
    return np.array(values, dtype=np.int64)
