"""Log lines that can be told from all others and from each other, wherever they turn up."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from itertools import pairwise
from uuid import uuid4

__all__ = ["Sentinel", "Stream", "new_run", "sentinels_in"]

_MARK = "meshproof-sentinel"
_SHAPE = re.compile(
    rf"{_MARK} run=(?P<run>\w+) stream=(?P<stream>\S+) seq=(?P<sequence>\d{{6}}) of=(?P<sum>[0-9a-f]{{8}})"
    r"(?: (?P<payload>.*))?",
    re.DOTALL,
)


def new_run() -> str:
    """A word that nobody has written yet: one free-text search for it finds every line of a measurement."""
    return f"mp{uuid4().hex[:14]}"


@dataclass(frozen=True)
class Stream:
    """Numbered lines of one writer. `name` has no spaces, such as "apps/writer".

    A payload must not begin or end with white space, which agents cut off.
    """

    run: str
    name: str

    def line(self, sequence: int, payload: str = "") -> str:
        """One line, without its end."""
        checksum = _checksum(self.run, self.name, sequence, payload)
        head = f"{_MARK} run={self.run} stream={self.name} seq={sequence:06d} of={checksum}"
        return f"{head} {payload}" if payload else head

    def lines(self, first: int, count: int, payload: str = "") -> list[str]:
        """`count` lines numbered from `first` on."""
        return [self.line(number, payload) for number in range(first, first + count)]

    def phrase(self, sequence: int | None = None) -> str:
        """A search query for the stream's lines, or for one of them."""
        number = "" if sequence is None else f" seq={sequence:06d}"
        return f'"{_MARK} run={self.run} stream={self.name}{number}"'


@dataclass(frozen=True)
class Sentinel:
    """A sentinel that was found in a message. `intact`: the message is that line alone, as it was written."""

    run: str
    stream: str
    sequence: int
    intact: bool = True


def sentinels_in(message: str) -> list[Sentinel]:
    """The sentinels that begin in a message: none, one, or more where lines were put together."""
    starts = [found.start() for found in re.finditer(re.escape(f"{_MARK} run="), message)]
    found = []
    for start, end in pairwise([*starts, len(message)]):
        part = message[start:end]
        match = _SHAPE.match(part)
        if match is None:
            continue
        sequence = int(match["sequence"])
        checksum = _checksum(match["run"], match["stream"], sequence, match["payload"] or "")
        whole = part == message and match.end() == len(part)
        found.append(Sentinel(match["run"], match["stream"], sequence, whole and match["sum"] == checksum))
    return found


def _checksum(run: str, stream: str, sequence: int, payload: str) -> str:
    return f"{zlib.crc32(f'{run} {stream} {sequence} {payload}'.encode()):08x}"
