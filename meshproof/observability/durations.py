"""Whether the times in a trace fit together: each span inside its parent, all of it inside what the client waited."""

from __future__ import annotations

from dataclasses import dataclass

from meshproof.intake.backend import Span
from meshproof.observability.traces import Trace, described

__all__ = ["LENIENCE", "Lenience", "misplaced", "outlasting"]


@dataclass(frozen=True)
class Lenience:
    """Seconds by which a child may lie outside of its parent.

    `start`: a request goes out after the span that it belongs to has begun, on one clock. Datadog tells starts to the
    millisecond, so two of them may be off by one each; the rest is for the clocks of two nodes.
    `end`: an app, like Envoy, ends its span when its answer is out, and whoever waits for that answer may end first.
    On a busy node the one that comes late has to wait for its turn on a CPU, twice if it is an interpreter.
    """

    start: float = 0.010
    end: float = 0.250


LENIENCE = Lenience()


def misplaced(trace: Trace, lenience: Lenience = LENIENCE) -> list[str]:
    """Children that begin before or end after their parent, and spans that last no time at all."""
    found = [f"{described(span)} lasts {span.duration} ns" for span in trace.spans if span.duration <= 0]
    for span in trace.spans:
        parent = trace.by_id.get(span.parent_id)
        if parent is None:
            continue
        early = (parent.start - span.start) / 1e9
        late = (_end(span) - _end(parent)) / 1e9
        if early > lenience.start:
            found.append(f"{described(span)} begins {early * 1e3:.1f} ms before its parent {described(parent)}")
        if late > lenience.end:
            found.append(f"{described(span)} ends {late * 1e3:.1f} ms after its parent {described(parent)}")
    return found


def outlasting(trace: Trace, seconds: float, lenience: Lenience = LENIENCE) -> list[str]:
    """Spans that say that they took longer than the client, which waited for all of them, waited for its answer."""
    return [
        f"{described(span)} lasts {span.duration / 1e6:.1f} ms, and the client had its answer after "
        f"{seconds * 1e3:.1f} ms"
        for span in trace.spans
        if span.duration / 1e9 > seconds + lenience.end
    ]


def _end(span: Span) -> int:
    return span.start + span.duration
