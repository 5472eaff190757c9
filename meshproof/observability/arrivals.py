"""Waiting for marked requests to be found at the backend as traces."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from meshproof.intake.backend import Span
from meshproof.observability.marks import Batch, traces_by_mark
from meshproof.observability.traces import Trace, assemble, trace_query

__all__ = ["Arrivals", "Search", "Settled", "arrivals"]


class Search(Protocol):
    """What is asked for spans: meshproof.datadog.Datadog."""

    def spans(self, query: str, *, until: Callable[[list[Span]], object], what: str) -> list[Span]:
        """The spans that match, asked for again until `until` holds or the deadline has passed."""
        ...


@dataclass(frozen=True)
class Arrivals:
    """What became of marked requests. `spans` are all that were found of their traces, also those that came twice;
    `found` tells when a search first found each mark, by the clock of `arrivals`."""

    spans: tuple[Span, ...]
    traces: Mapping[str, Sequence[Trace]]
    found: Mapping[str, float]

    def one_each(self, marks: Iterable[str]) -> dict[str, Trace]:
        """The trace of each mark that has exactly one."""
        return {mark: self.traces[mark][0] for mark in marks if len(self.traces.get(mark, ())) == 1}

    def unlike_one(self, marks: Iterable[str]) -> list[str]:
        """The marks that have no trace, or more than one."""
        counts = {mark: len(self.traces.get(mark, ())) for mark in marks}
        return [f"{mark}: {count or 'no'} traces" for mark, count in counts.items() if count != 1]


def arrivals(
    search: Search,
    batch: Batch,
    marks: Sequence[str],
    *,
    whole: Callable[[str, Trace], bool],
    clock: Callable[[], float] = time.monotonic,
) -> Arrivals:
    """Search until every mark has a trace and `whole` holds for each of them, or until the deadline, twice at most: for
    the first spans, which carry the marks, and for the rest of their traces. At most 250 marks."""
    found: dict[str, float] = {}

    def all_found(spans: list[Span]) -> bool:
        now = clock()
        for mark in batch.seen(spans):
            found.setdefault(mark, now)
        return found.keys() >= set(marks)

    def all_whole(spans: list[Span]) -> bool:
        traces = traces_by_mark(batch, assemble(spans).values())
        return all(whole(mark, trace) for mark, traces_of in traces.items() for trace in traces_of)

    first = search.spans(batch.query, until=all_found, what="every marked request is found")
    ids = batch.trace_ids(first)
    if not ids:
        return Arrivals((), {}, {})
    spans = search.spans(trace_query(ids), until=all_whole, what="every trace is whole")
    return Arrivals(tuple(spans), traces_by_mark(batch, assemble(spans).values()), found)


class Settled:
    """Whether an answer is the last: the sentinels, which were sent last, are there, and nothing has been added to it
    for `quiet` seconds."""

    def __init__(
        self, batch: Batch, sentinels: Set[str], quiet: float = 1.5, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._batch = batch
        self._sentinels = sentinels
        self._quiet = quiet
        self._clock = clock
        self._size = -1
        self._since = clock()

    def __call__(self, spans: list[Span]) -> bool:
        if len(spans) != self._size:
            self._size, self._since = len(spans), self._clock()
        return self._sentinels <= self._batch.seen(spans) and self._clock() - self._since >= self._quiet
