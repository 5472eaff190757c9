"""Log payloads: JSON arrays as agents send them, single objects, lines of text; reserved attributes; flattening."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from meshproof.intake.attributes import flattened
from meshproof.intake.rejections import at_most, malformed, too_large
from meshproof.intake.rows import EventRows, tag_text

__all__ = ["Log", "check_logs", "decode_logs", "loaded_json", "milliseconds", "parse_json", "status_word"]

_RESERVED = frozenset({"message", "status", "timestamp", "hostname", "service", "ddsource", "ddtags"})
_MOST_BRACKETS = 2_000_000
# The words that status values begin with, as Datadog's status remapper documents them.
_STATUS_BEGINNINGS = (
    ("emerg", "emergency"),
    ("f", "emergency"),
    ("a", "alert"),
    ("c", "critical"),
    ("e", "error"),
    ("w", "warn"),
    ("n", "notice"),
    ("i", "info"),
    ("d", "debug"),
    ("trace", "debug"),
    ("verbose", "debug"),
    ("o", "ok"),
    ("s", "ok"),
)
_SYSLOG = ("emergency", "alert", "critical", "error", "warn", "notice", "info", "debug")


class Log:
    """One log event while it is worked on; pipelines change it. `timestamp`: ms since 1970."""

    __slots__ = ("attributes", "host", "message", "service", "source", "status", "tags", "timestamp")

    def __init__(self, item: Mapping[str, Any], received: int) -> None:
        self.message = _text(item.get("message"))
        self.status = status_word(item.get("status"))
        self.timestamp = milliseconds(item.get("timestamp"), received)
        self.host = _text(item.get("hostname"))
        self.service = _text(item.get("service"))
        self.source = _text(item.get("ddsource"))
        tags = item.get("ddtags", "")
        self.tags = [str(tag) for tag in tags] if isinstance(tags, list) else _text(tags).split(",")
        self.attributes: dict[str, Any] = {key: value for key, value in item.items() if key not in _RESERVED}
        self._take_json_message(received)

    def _take_json_message(self, received: int) -> None:
        # Datadog reads a message that is a JSON object as attributes before any pipeline.
        if not self.message.startswith("{"):
            return
        try:
            parsed = loaded_json(self.message)
        except (ValueError, RecursionError):
            return
        if isinstance(parsed, dict) and parsed:
            self.attributes.update(parsed)
            inner = parsed.get("message")
            if isinstance(inner, str):
                self.message = inner
                del self.attributes["message"]
            level = next(
                (parsed[key] for key in ("status", "severity", "level") if isinstance(parsed.get(key), str)), None
            )
            if level:
                self.status = status_word(level)
            for key in ("timestamp", "@timestamp", "date"):
                if key in parsed:
                    self.timestamp = milliseconds(parsed[key], self.timestamp or received)
                    break


def check_logs(body: bytes, content_type: str, most: int) -> int:
    """How many lines the payload holds; an empty object, the agent's probe, holds none. Raises Rejected."""
    return len(_items(body, content_type, most))


def decode_logs(
    body: bytes, content_type: str, most: int, received: int, into: EventRows, pipeline: Callable[[Log], None]
) -> None:
    for item in _items(body, content_type, most):
        log = Log(item, received)
        pipeline(log)
        row = len(into.fixed)
        content = json.dumps(log.attributes, separators=(",", ":")) if log.attributes else ""
        reserved = (log.timestamp, log.status, log.service, log.host, log.source, log.message)
        into.fixed.append([received, *reserved, tag_text(log.tags), content])
        for name, value in flattened(log.attributes).items():
            into.attribute(name, value, (row,))


def parse_json(body: bytes) -> Any:
    """The JSON value. Raises Rejected when it is none, nests too deep, or holds millions of values."""
    if body.count(b"{") + body.count(b"[") > _MOST_BRACKETS:
        raise too_large(f"more than {_MOST_BRACKETS} JSON objects and arrays in one payload")
    try:
        return loaded_json(body)
    except (ValueError, RecursionError) as error:
        raise malformed(f"JSON: {error}") from error


def loaded_json(text: str | bytes) -> Any:
    """`json.loads` without what no store and no answer can hold: half surrogates become ?, NaN becomes a text."""
    parsed = json.loads(text, parse_constant=str)
    if (b"\\u" in text) if isinstance(text, bytes) else ("\\u" in text):
        parsed = json.loads(json.dumps(parsed, ensure_ascii=False).encode(errors="replace"), parse_constant=str)
    return parsed


def _items(body: bytes, content_type: str, most: int) -> list[dict[str, Any]]:
    if not body.strip():
        return []
    if "text/plain" in content_type:
        parsed: Any = [{"message": line} for line in body.decode(errors="replace").splitlines() if line]
    else:
        parsed = parse_json(body)
    if isinstance(parsed, dict):
        parsed = [parsed] if parsed else []
    if not isinstance(parsed, list):
        raise malformed("logs: neither an object nor an array")
    at_most(most, len(parsed), "lines")
    items = [item if isinstance(item, dict) else {"message": item} for item in parsed]
    if any(not isinstance(item["message"], str) for item in items if len(item) == 1 and "message" in item):
        raise malformed("logs: a line that is neither an object nor a text")
    return items


def status_word(value: object) -> str:
    """Datadog's status for a level in any spelling: `WARNING` is warn, 3 is error, anything unknown is info."""
    text = _text(value).strip().lower()
    if text.isdecimal() and int(text) < len(_SYSLOG):
        return _SYSLOG[int(text)]
    return next((status for beginning, status in _STATUS_BEGINNINGS if text.startswith(beginning)), "info")


def milliseconds(value: object, otherwise: int) -> int:
    """A time in ms since 1970 from seconds, ms, µs, ns or ISO 8601."""
    if isinstance(value, str):
        if value.isdecimal():
            value = int(value[:20])
        else:
            try:
                return int(datetime.fromisoformat(value).timestamp() * 1000)
            except (ValueError, OverflowError):
                return otherwise
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e20:
        return otherwise
    for digits, factor in ((1e11, 1000.0), (1e14, 1.0), (1e17, 1e-3), (1e20, 1e-6)):
        if value < digits:
            return int(value * factor)
    return otherwise


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, default=str)
