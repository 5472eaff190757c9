"""What each kind of payload needs: how it is checked before it is acknowledged, and how it becomes rows afterwards."""

from __future__ import annotations

from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from meshproof.intake import documents, metrics
from meshproof.intake.bodies import expand
from meshproof.intake.index import Batch
from meshproof.intake.journal import Entry
from meshproof.intake.limits import Limits
from meshproof.intake.logs import Log, check_logs, decode_logs, parse_json
from meshproof.intake.rejections import malformed
from meshproof.intake.stats import stats_rows
from meshproof.intake.tracers import check_tracer_traces, decode_tracer_traces
from meshproof.intake.traces import check_traces, decode_traces

__all__ = ["check", "decode"]

_SECRETS = frozenset({"apikey", "api_key"})


def check(entry: Entry, limits: Limits) -> int:
    """How many items the payload holds. Raises Rejected: what passes here can be decoded later."""
    body = expand(entry.body, entry.encoding, limits.expanded)
    if entry.kind == "traces":
        return check_traces(body, limits.items)
    if entry.kind == "tracer":
        return check_tracer_traces(body, limits.items)
    if entry.kind == "logs":
        return check_logs(body, entry.content_type, limits.items)
    batch = Batch()
    _decode_others(entry, body, limits, batch)
    return len(batch)


def decode(entry: Entry, limits: Limits, pipeline: Callable[[Log], None], into: Batch) -> None:
    """Append the payload's rows."""
    body = expand(entry.body, entry.encoding, limits.expanded)
    if entry.kind == "traces":
        decode_traces(body, entry.received, into.spans)
    elif entry.kind == "tracer":
        decode_tracer_traces(body, entry.received, limits.items, into.spans)
    elif entry.kind == "logs":
        decode_logs(body, entry.content_type, limits.items, entry.received, into.logs, pipeline)
    else:
        _decode_others(entry, body, limits, into)


def _decode_others(entry: Entry, body: bytes, limits: Limits, into: Batch) -> None:
    match entry.kind:
        case "stats":
            rows, sketches = stats_rows(body, limits.items)
            into.metrics += rows
            into.sketches += sketches
        case "series_v1":
            into.metrics += metrics.series_v1(body, limits.items)
        case "series_v2":
            into.metrics += metrics.series_v2(body, entry.content_type, limits.items)
        case "sketches":
            into.sketches += metrics.sketches(body, limits.items)
        case _:
            for kind, host, name, tags, content in _documents(entry, body, limits):
                into.documents.append((entry.received, kind, entry.path, host, name, tags, content))


def _documents(entry: Entry, body: bytes, limits: Limits) -> list[documents.Document]:
    match entry.kind:
        case "frame":
            return documents.frame_documents(body, limits.expanded, limits.items)
        case "check_run" | "event" | "metadata":
            return documents.json_documents(entry.kind, _without_secrets(body), limits.items)
        case "intake":
            return _events_or_metadata(body, limits)
        case "profile":
            return [_profile(entry, body)]
        case _:
            return [documents.raw_document(entry.kind, body, entry.content_type, limits.kept_body)]


def _without_secrets(body: bytes) -> Any:
    parsed = parse_json(body) if body.strip() else {}
    for item in parsed if isinstance(parsed, list) else [parsed]:
        if isinstance(item, dict):
            for key in [key for key in item if key.lower() in _SECRETS]:
                del item[key]
    return parsed


def _events_or_metadata(body: bytes, limits: Limits) -> list[documents.Document]:
    """`/intake/` takes host metadata, and events as `{"events": {"source": [{...}]}}`."""
    parsed = _without_secrets(body)
    events = parsed.get("events") if isinstance(parsed, dict) else None
    if not isinstance(events, dict):
        return documents.json_documents("metadata", parsed, limits.items)
    listed = [event for group in events.values() for event in (group if isinstance(group, list) else [group])]
    return documents.json_documents("event", [event for event in listed if event is not None], limits.items)


def _profile(entry: Entry, body: bytes) -> documents.Document:
    """A profile: the names of its attachments, and its event (service, runtime, start, end, tags)."""
    head = f"Content-Type: {entry.content_type}\r\n\r\n".encode(errors="replace")
    parsed = BytesParser(policy=HTTP).parsebytes(head + body)
    if not parsed.is_multipart():
        raise malformed("profile: not multipart/form-data")
    attachments: list[str] = []
    event: Any = {}
    for part in parsed.iter_parts():
        name = part.get_param("name", header="content-disposition")
        attachments.append(str(part.get_filename() or name or "").encode(errors="replace").decode())
        if name == "event":
            content = part.get_payload(decode=True)
            event = parse_json(content) if isinstance(content, bytes) else {}
    if not isinstance(event, dict):
        raise malformed("profile: its event is not an object")
    return documents.profile_document(event, attachments)
