"""Requests that are found again in traces: each carries a mark of its own in its query, which Envoy keeps in http.url.

Not the request id: Envoy notes in the id of a request that it is traced, and gives requests from outside a new one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from meshproof.intake.backend import Span
from meshproof.observability.traces import Trace, trace_key
from meshproof.probe import Request

__all__ = ["Batch", "first_seen", "traces_by_mark"]

_PARAMETER = "meshproof"


@dataclass(frozen=True)
class Batch:
    """Marks that begin alike, so that one search finds all of them."""

    name: str = field(default_factory=lambda: uuid4().hex[:12])

    def requests(self, url: str, count: int, **options: object) -> list[Request]:
        """That many requests for a URL without a query. `options` are those of Request."""
        return [Request(f"{url}?{_PARAMETER}={mark}", **options) for mark in self.marks(count)]  # type: ignore[arg-type]

    def marks(self, count: int) -> list[str]:
        """The marks of that many requests. They have no sign that means something in a search."""
        return [f"{self.name}n{number}" for number in range(count)]

    @property
    def query(self) -> str:
        """A search for every span that carries one of the marks."""
        return f"@http.url:*{self.name}n*"

    def mark(self, span: Span) -> str | None:
        """The mark that a span carries, if it is one of these."""
        url = str(span.attributes.get("http.url") or "")
        found = re.search(rf"[?&]{_PARAMETER}=({re.escape(self.name)}n\d+)(?!\d)", url)
        return found[1] if found else None

    def seen(self, spans: Iterable[Span]) -> frozenset[str]:
        """The marks that spans carry."""
        return frozenset(mark for span in spans if (mark := self.mark(span)))

    def trace_ids(self, spans: Iterable[Span]) -> list[str]:
        """The ids of the traces that carry a mark, each once."""
        return list({trace_key(span.trace_id): span.trace_id for span in spans if self.mark(span)}.values())


def traces_by_mark(batch: Batch, traces: Iterable[Trace]) -> dict[str, list[Trace]]:
    """The traces in which each mark was seen: one, if all is well."""
    found: dict[str, list[Trace]] = {}
    for trace in traces:
        for mark in batch.seen(trace.spans):
            found.setdefault(mark, []).append(trace)
    return found


def first_seen(answered: Mapping[str, float], arrived: Mapping[str, float]) -> Sequence[float]:
    """How long each mark took from its answer until a search found it, in order; both on one clock."""
    return sorted(max(0.0, moment - answered[mark]) for mark, moment in arrived.items() if mark in answered)
