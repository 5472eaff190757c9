"""Trace payloads of the agent: `AgentPayload` in both of its forms, with texts in place or in a table of strings.

Agents up to 7.83 send field 5, later ones field 11 (datadog-agent pkg/trace v0.85.1, api/api.go).
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError

from meshproof.intake.rejections import at_most, malformed, too_large
from meshproof.intake.rows import EventRows, Value, tag_text
from meshproof.intake.wire import message

__all__ = ["check_traces", "decode_traces"]

_AgentPayload = message("AgentPayload")
_TracerPayload = message("TracerPayload")
_TraceChunk = message("TraceChunk")
_Span = message("Span")
_TextEntry = message("TextEntry")
_NumberEntry = message("NumberEntry")
_IdxTracerPayload = message("IdxTracerPayload")
_IdxTraceChunk = message("IdxTraceChunk")
_IdxSpan = message("IdxSpan")
_IdxEntry = message("IdxEntry")

_CONTAINER_TAGS = "_dd.tags.container"
_HIGH_TRACE_ID = "_dd.p.tid"
_KINDS = ("", "internal", "server", "client", "producer", "consumer")
_LONGEST_EXACT_INTEGER = 2**53
_MOST_STRINGS = 1_000_000
_SIGNED = 2**63


def check_traces(body: bytes, most: int) -> int:
    """How many spans the payload holds. Raises Rejected when it is damaged or holds more than `most`."""
    spans = 0
    try:
        payload = _AgentPayload.FromString(body)
        for packed in payload.tracer_payloads:
            for chunk in _TracerPayload.FromString(packed).chunks:
                packed_spans = _TraceChunk.FromString(chunk).spans
                spans += len(packed_spans)
                at_most(most, spans, "spans")
                for span in packed_spans:
                    _Span.FromString(span)
        for packed in payload.idx_tracer_payloads:
            tracer = _IdxTracerPayload.FromString(packed)
            if len(tracer.strings) > _MOST_STRINGS:
                raise too_large(f"more than {_MOST_STRINGS} strings in one payload")
            for chunk in tracer.chunks:
                packed_spans = _IdxTraceChunk.FromString(chunk).spans
                spans += len(packed_spans)
                at_most(most, spans, "spans")
                for span in packed_spans:
                    _IdxSpan.FromString(span)
    except DecodeError as error:
        raise malformed(error) from error
    return spans


def decode_traces(body: bytes, received: int, into: EventRows) -> None:
    """Append the spans of a payload that `check_traces` has passed. `received`: ms since 1970.

    An attribute that cannot be read is left out and counted in `into.bad_attributes`.
    """
    payload = _AgentPayload.FromString(body)
    agent_tags = [f"{key}:{value}" for key, value in _texts(payload.tags, into)]
    for packed in payload.tracer_payloads:
        _decode_texts(_TracerPayload.FromString(packed), payload, agent_tags, received, into)
    for packed in payload.idx_tracer_payloads:
        _decode_table(_IdxTracerPayload.FromString(packed), payload, agent_tags, received, into)


def _decode_texts(tracer: Any, agent: Any, agent_tags: list[str], received: int, into: EventRows) -> None:
    tracer_tags = dict(_texts(tracer.tags, into))
    tags = tag_text([*_container_tags(tracer_tags.pop(_CONTAINER_TAGS, "")), *agent_tags])
    env, host = tracer.env or agent.env, tracer.hostname or agent.host_name
    texts: defaultdict[bytes, list[int]] = defaultdict(list)
    numbers: defaultdict[bytes, list[int]] = defaultdict(list)
    first = row = len(into.fixed)
    chunk_of_row: list[int] = []
    for chunk_number, packed in enumerate(tracer.chunks):
        chunk = _TraceChunk.FromString(packed)
        for packed_span in chunk.spans:
            span = _Span.FromString(packed_span)
            for entry in span.meta:
                texts[entry].append(row)
            for entry in span.metrics:
                numbers[entry].append(row)
            for entry in chunk.tags:
                texts[entry].append(row)
            ids = (0, span.trace_id, span.span_id, span.parent_id)
            names = (span.service, span.name, span.resource, span.type)
            times = (span.start, span.duration, span.error != 0)
            into.fixed.append([received, *ids, *times, *names, env, host, "", chunk.priority, tags])
            chunk_of_row.append(chunk_number)
            row += 1
    high_of_chunk: dict[int, int] = {}
    for entry, rows in texts.items():
        for name, value in _texts([entry], into):
            into.attribute(name, value, rows)
            if name == _HIGH_TRACE_ID:
                # The upper half of the id stands on one span of the chunk and holds for all of them.
                high_of_chunk.update((chunk_of_row[row - first], _hexadecimal(value)) for row in rows)
            elif name in ("env", "span.kind"):
                for row in rows:
                    into.fixed[row][12 if name == "env" else 14] = value
    for entry, rows in numbers.items():
        try:
            number = _NumberEntry.FromString(entry)
        except DecodeError:
            into.bad_attributes += 1
            continue
        into.attribute(number.key, _figure(number.value), rows)
    for offset, chunk_number in enumerate(chunk_of_row):
        into.fixed[first + offset][1] = high_of_chunk.get(chunk_number, 0)
    if row > first:
        for name, value in tracer_tags.items():
            into.attribute(name, value, range(first, row))


def _decode_table(tracer: Any, agent: Any, agent_tags: list[str], received: int, into: EventRows) -> None:
    strings = list(tracer.strings)
    size = len(strings)

    def text(reference: int) -> str:
        if reference < size:
            return str(strings[reference])
        into.bad_attributes += 1
        return ""

    common = dict(filter(None, (_entry(entry, text, into) for entry in tracer.attributes)))
    tags = tag_text([*_container_tags(str(common.pop(_CONTAINER_TAGS, ""))), *agent_tags])
    host = text(tracer.hostname_ref) or agent.host_name
    env = text(tracer.env_ref) or agent.env
    entries: defaultdict[bytes, list[int]] = defaultdict(list)
    first = row = len(into.fixed)
    for packed in tracer.chunks:
        chunk = _IdxTraceChunk.FromString(packed)
        trace_id = chunk.trace_id[-16:].rjust(16, b"\0")
        high, low = int.from_bytes(trace_id[:8], "big"), int.from_bytes(trace_id[8:], "big")
        for packed_span in chunk.spans:
            span = _IdxSpan.FromString(packed_span)
            for entry in span.attributes:
                entries[entry].append(row)
            for entry in chunk.attributes:
                entries[entry].append(row)
            kind = span.kind
            ids = (high, low, span.span_id, span.parent_id)
            times = (_signed(span.start), _signed(span.duration), span.error)
            names = (text(span.service_ref), text(span.name_ref), text(span.resource_ref), text(span.type_ref))
            place = (text(span.env_ref) or env, host, _KINDS[kind] if kind < len(_KINDS) else "")
            into.fixed.append([received, *ids, *times, *names, *place, chunk.priority, tags])
            row += 1
    for entry, rows in entries.items():
        attribute = _entry(entry, text, into)
        if attribute is not None:
            into.attribute(*attribute, rows)
    if row > first:
        for name, value in common.items():
            into.attribute(name, value, range(first, row))


def _entry(entry: bytes, text: Any, into: EventRows) -> tuple[str, Value] | None:
    try:
        parsed = _IdxEntry.FromString(entry)
    except DecodeError:
        into.bad_attributes += 1
        return None
    name = text(parsed.key)
    value = parsed.value
    match value.WhichOneof("value"):
        case "string_ref":
            return name, text(value.string_ref)
        case "number":
            return name, _figure(value.number)
        case "integer":
            exact = abs(value.integer) <= _LONGEST_EXACT_INTEGER
            return name, float(value.integer) if exact else str(value.integer)
        case "truth":
            return name, json.dumps(value.truth)
        case "data" | "array" | "mapping" as kind:
            return name, bytes(getattr(value, kind)).hex()
        case _:
            into.bad_attributes += 1
            return None


def _texts(entries: Sequence[bytes], into: EventRows) -> list[tuple[str, str]]:
    pairs = []
    for entry in entries:
        try:
            parsed = _TextEntry.FromString(entry)
        except DecodeError:
            into.bad_attributes += 1
            continue
        pairs.append((parsed.key, parsed.value))
    return pairs


def _container_tags(text: str) -> list[str]:
    return text.split(",") if text else []


def _hexadecimal(text: str) -> int:
    try:
        return int(text, 16) & 0xFFFF_FFFF_FFFF_FFFF
    except ValueError:
        return 0


def _figure(number: float) -> Value:
    return number if math.isfinite(number) else str(number)  # JSON has no such numbers


def _signed(number: int) -> int:
    return int(number) if number < _SIGNED else _SIGNED - 1
