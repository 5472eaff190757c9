"""Spans put together as traces, and whether a trace is whole.

Judgements are lists of findings: sentences in the words of the property, empty when the property holds.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from meshproof.intake.backend import Span, any_of

__all__ = ["Trace", "assemble", "described", "missing_parts", "trace_key", "trace_query", "twice"]

_LOW_BITS = 2**64 - 1


@dataclass(frozen=True)
class Trace:
    """The spans of one trace, each once, in the order of their starts. `key`: see `trace_key`."""

    key: int
    spans: tuple[Span, ...]

    @cached_property
    def by_id(self) -> dict[str, Span]:
        """Each span by its id."""
        return {span.span_id: span for span in self.spans}

    @cached_property
    def _children(self) -> dict[str, list[Span]]:
        found: defaultdict[str, list[Span]] = defaultdict(list)
        for span in self.spans:
            found[span.parent_id].append(span)
        return dict(found)

    @property
    def roots(self) -> tuple[Span, ...]:
        """The spans that name no parent."""
        return tuple(span for span in self.spans if _is_root(span))

    @property
    def orphans(self) -> tuple[Span, ...]:
        """The spans whose parent is not there."""
        return tuple(span for span in self.spans if not _is_root(span) and span.parent_id not in self.by_id)

    def children(self, span: Span) -> Sequence[Span]:
        """The spans that name this one as their parent."""
        return tuple(self._children.get(span.span_id, ()))

    def ancestors(self, span: Span) -> Iterator[Span]:
        """The parent, its parent, and so on, as far as they are there."""
        seen = {span.span_id}
        above = self.by_id.get(span.parent_id)
        while above is not None and above.span_id not in seen:
            yield above
            seen.add(above.span_id)
            above = self.by_id.get(above.parent_id)

    def descendants(self, span: Span) -> Iterator[Span]:
        """Everything below a span, parents before their children."""
        seen = {span.span_id}
        waiting = [*self.children(span)]
        while waiting:
            child = waiting.pop(0)
            if child.span_id not in seen:
                seen.add(child.span_id)
                yield child
                waiting += self.children(child)


def trace_key(trace_id: str) -> int:
    """The lower 64 bits, which every tracer agrees on: 32 hexadecimal digits, or a decimal number.

    Envoy and Datadog's tracers make ids of 128 bits; what is shown with 64 belongs to the same trace.
    """
    text = trace_id.strip().lower()
    if re.fullmatch(r"[0-9a-f]{32}", text):
        return int(text, 16) & _LOW_BITS
    return int(text) & _LOW_BITS if text.isdecimal() else 0


def trace_query(trace_ids: Iterable[str]) -> str:
    """A query for all spans of these traces, in both spellings of their ids. At most 250 fit into one query."""
    spellings = dict.fromkeys(text for given in trace_ids for text in (given, str(trace_key(given))))
    return any_of("trace_id", list(spellings))


def assemble(spans: Iterable[Span]) -> dict[int, Trace]:
    """Traces by their key. A span that arrived more than once is in its trace once; see `twice`."""
    found: defaultdict[int, dict[str, Span]] = defaultdict(dict)
    for span in spans:
        found[trace_key(span.trace_id)].setdefault(span.span_id, span)
    return {
        key: Trace(key, tuple(sorted(members.values(), key=lambda span: (span.start, span.span_id))))
        for key, members in found.items()
    }


def described(span: Span) -> str:
    """A span in few words."""
    return f"{span.service} {span.name} ({span.resource}, span {span.span_id})"


def missing_parts(trace: Trace, entry_parent: str = "0") -> list[str]:
    """What keeps a trace from being one whole tree.

    `entry_parent` is the parent that the first span names when the client itself began the trace.
    """
    entries = [span for span in trace.spans if span.parent_id == entry_parent] if entry_parent != "0" else trace.roots
    found = []
    if not entries:
        found.append("the trace has no beginning: no span of it is without a parent")
    elif len(entries) > 1:
        found.append(f"the trace begins {len(entries)} times: {', '.join(described(span) for span in entries)}")
    found += [
        f"the trace is broken above {described(span)}: its parent {span.parent_id} did not arrive"
        for span in trace.orphans
        if span.parent_id != entry_parent
    ]
    return found


def twice(spans: Iterable[Span]) -> list[str]:
    """Spans that arrived more than once, of all that were found."""
    spans = list(spans)
    counts = Counter((trace_key(span.trace_id), span.span_id) for span in spans)
    known = {(trace_key(span.trace_id), span.span_id): span for span in spans}
    return [
        f"{described(known[which])} of trace {known[which].trace_id} arrived {count} times"
        for which, count in counts.items()
        if count > 1
    ]


def _is_root(span: Span) -> bool:
    return span.parent_id in ("", "0")
