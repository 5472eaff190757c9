"""The timeline as data, for reports and trends."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from meshproof.timeline.record import Span, Timeline

__all__ = ["as_data", "longest_path", "write_json"]


def as_data(timeline: Timeline) -> dict[str, Any]:
    """The steps as plain values; `began` and `ended` in seconds from `started_at` (ISO 8601, UTC)."""
    spans = timeline.spans
    critical = longest_path(spans)
    return {
        "started_at": datetime.fromtimestamp(timeline.started_at, UTC).isoformat(timespec="milliseconds"),
        "seconds": round(_end(spans), 3),
        "longest_path": list(critical),
        "spans": [
            {
                "name": span.name,
                "group": span.group,
                "state": span.state.value,
                "began": _rounded(span.began),
                "ended": _rounded(span.ended),
                "after": list(span.after),
                "note": span.note,
            }
            for span in spans
        ],
    }


def write_json(timeline: Timeline, path: Path) -> None:
    """Write `as_data` to a file, folders made as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(as_data(timeline), indent=2, ensure_ascii=False) + "\n")


def longest_path(spans: Sequence[Span]) -> tuple[str, ...]:
    """The chain of steps that decided how long it took: names, first to last.

    Walks back from the step that ended last to whichever of its predecessors ended last. A step that names none was
    held up by what ended last before it began, unless that overlaps: then it was free to begin, and the chain starts
    there.
    """
    done = {span.name: span for span in spans if span.began is not None and span.ended is not None}
    if not done:
        return ()
    chain = [max(done.values(), key=lambda span: span.ended or 0.0)]
    while True:
        current = chain[-1]
        before = [done[name] for name in current.after if name in done] or _earlier(current, done)
        before = [span for span in before if span not in chain]
        if not before:
            return tuple(span.name for span in reversed(chain))
        chain.append(max(before, key=lambda span: span.ended or 0.0))


def _earlier(span: Span, done: Mapping[str, Span]) -> list[Span]:
    began = span.began or 0.0
    return [other for other in done.values() if (other.ended or 0.0) <= began and other is not span]


def _end(spans: Sequence[Span]) -> float:
    return max((span.ended for span in spans if span.ended is not None), default=0.0)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
