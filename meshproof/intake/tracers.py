"""Payloads of tracers (`/v0.4/traces`, msgpack), for an intake that a tracer sends to without an agent between."""

from __future__ import annotations

import math
from typing import Any

import msgpack  # type: ignore[import-untyped]

from meshproof.intake.rejections import at_most, malformed
from meshproof.intake.rows import EventRows

__all__ = ["check_tracer_traces", "decode_tracer_traces"]

_UNSIGNED = 2**64 - 1
_SIGNED = 2**63 - 1
_MOST_ENTRIES = 1000


def check_tracer_traces(body: bytes, most: int) -> int:
    """How many spans the payload holds. Raises Rejected."""
    rows = EventRows()
    decode_tracer_traces(body, 0, most, rows)
    return len(rows.fixed)


def decode_tracer_traces(body: bytes, received: int, most: int, into: EventRows) -> None:
    """Append the spans of a list of traces, each a list of spans (dd-trace-cpp src/datadog/span_data.cpp)."""
    try:
        traces = msgpack.unpackb(
            body, max_array_len=most, max_map_len=_MOST_ENTRIES, strict_map_key=False, unicode_errors="replace"
        )
        first = len(into.fixed)
        for trace in traces:
            at_most(most, len(into.fixed) - first + len(trace), "spans")
            high = next((int(it["meta"]["_dd.p.tid"], 16) for it in trace if "_dd.p.tid" in (it.get("meta") or {})), 0)
            for span in trace:
                _span(span, high & _UNSIGNED, received, into)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise malformed(f"traces: {type(error).__name__} {error}") from error
    except msgpack.exceptions.UnpackException as error:
        raise malformed(f"traces: {type(error).__name__} {error}") from error


def _span(span: dict[str, Any], high: int, received: int, into: EventRows) -> None:
    row = len(into.fixed)
    meta = {str(name): str(value) for name, value in (span.get("meta") or {}).items()}
    metrics = {str(name): float(value) for name, value in (span.get("metrics") or {}).items()}
    ids = (high, *(int(span.get(name) or 0) & _UNSIGNED for name in ("trace_id", "span_id", "parent_id")))
    times = (*(min(_SIGNED, max(0, int(span[name]))) for name in ("start", "duration")), bool(span.get("error")))
    names = tuple(str(span.get(name) or "") for name in ("service", "name", "resource", "type"))
    place = (meta.get("env", ""), meta.get("_dd.hostname", ""), meta.get("span.kind", ""))
    priority = metrics.get("_sampling_priority_v1", 1.0)
    into.fixed.append([received, *ids, *times, *names, *place, int(priority) if abs(priority) < 128 else 0, ""])
    for name, value in meta.items():
        into.attribute(name, value, (row,))
    for name, figure in metrics.items():
        into.attribute(name, figure if math.isfinite(figure) else str(figure), (row,))
