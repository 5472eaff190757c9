"""Stats payloads of the trace-agent (msgpack): requests, errors and latencies of every span, sampled or not.

They become the trace metrics that Datadog derives from them: `trace.<name>.hits`, `.errors`, `.duration` (the sum, in
seconds) and the distribution `trace.<name>` (seconds), with tags such as service, resource_name, http.status_code, env.
Field names: pkg/proto/pbgo/trace/stats_gen.go of datadog-agent pkg/proto v0.85.1.
"""

from __future__ import annotations

from typing import Any

import msgpack  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError

from meshproof.intake.metrics import Row, sketch_rows
from meshproof.intake.rejections import malformed, too_large
from meshproof.intake.rows import tag_text
from meshproof.intake.sketches import ddsketch_bins

__all__ = ["stats_rows"]

_LARGEST = 8 * 1024 * 1024
_NANOSECONDS = 1_000_000_000


def stats_rows(body: bytes, most: int) -> tuple[list[Row], list[Row]]:
    """Metric rows and sketch rows. Raises Rejected for a damaged payload or one with more than `most` groups."""
    if len(body) > _LARGEST:
        raise too_large(f"stats: more than {_LARGEST} bytes")
    metrics: list[Row] = []
    sketches: list[Row] = []
    try:
        payload = msgpack.unpackb(body, max_array_len=most, max_map_len=most, strict_map_key=False)
        for client in payload.get("Stats") or []:
            host = str(client.get("Hostname") or payload.get("AgentHostname") or "")
            common = [
                f"env:{client.get('Env') or payload.get('AgentEnv') or ''}",
                *([f"version:{client['Version']}"] if client.get("Version") else []),
                *(str(tag) for tag in client.get("Tags") or []),
            ]
            for bucket in client.get("Stats") or []:
                # The agent shifts late buckets; the shift tells when they really were.
                start = (int(bucket["Start"]) - int(bucket.get("AgentTimeShift") or 0)) // _NANOSECONDS
                interval = max(1, int(bucket["Duration"]) // _NANOSECONDS)
                for group in bucket.get("Stats") or []:
                    if len(metrics) > most:
                        raise too_large(f"stats: more than {most} groups")
                    _group(group, start, interval, host, common, metrics, sketches)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, DecodeError) as error:
        raise malformed(f"stats: {type(error).__name__} {error}") from error
    except msgpack.exceptions.UnpackException as error:
        raise malformed(f"stats: {type(error).__name__} {error}") from error
    return metrics, sketches


def _group(
    group: dict[str, Any],
    start: int,
    interval: int,
    host: str,
    common: list[str],
    metrics: list[Row],
    sketches: list[Row],
) -> None:
    name = f"trace.{group['Name']}"
    pairs = {
        "service": group["Service"],
        "resource_name": group.get("Resource"),
        "http.status_code": group.get("HTTPStatusCode"),
        "span.kind": group.get("SpanKind"),
        "type": group.get("Type"),
        "http.method": group.get("HTTPMethod"),
    }
    # A comma separates tags, in Datadog too.
    tags = [f"{key}:{str(value).replace(',', '_')}" for key, value in pairs.items() if value]
    text = tag_text([*tags, *common, *(str(tag) for tag in group.get("PeerTags") or [])])
    for suffix, value in (
        ("hits", float(group["Hits"])),
        ("errors", float(group["Errors"])),
        ("duration", float(group["Duration"]) / _NANOSECONDS),
        ("top_level_hits", float(group.get("TopLevelHits") or 0)),
    ):
        metrics.append((_timely(start), f"{name}.{suffix}", "count", value, host, text, "", interval))
    bins = ddsketch_bins(group.get("OkSummary") or b"") + ddsketch_bins(group.get("ErrorSummary") or b"")
    if bins:
        sketches.append(sketch_rows(start, name, text, [(value / _NANOSECONDS, weight) for value, weight in bins]))


def _timely(start: int) -> int:
    if not 0 <= start < 2**40:
        raise ValueError("a bucket starts outside of time")
    return start
