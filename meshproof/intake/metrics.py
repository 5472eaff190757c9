"""Metric payloads: series v1 (JSON), series v2 (protobuf or JSON) and sketches, as rows of the index."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError

from meshproof.intake.logs import parse_json
from meshproof.intake.rejections import at_most, malformed
from meshproof.intake.rows import tag_text
from meshproof.intake.sketches import agent_bins
from meshproof.intake.wire import message

__all__ = ["series_v1", "series_v2", "sketch_rows", "sketches"]

_TYPES = ("gauge", "count", "rate", "gauge")
_LARGEST_TIME = 2**40
Row = Sequence[object]


def series_v1(body: bytes, most: int) -> list[Row]:
    """Rows of `{"series": [{metric, points: [[seconds, value]], type, host, tags, interval}]}`; `{}` has none."""
    return _json_series(body, most, lambda point: (point[0], point[1]))


def series_v2(body: bytes, content_type: str, most: int) -> list[Row]:
    """Rows of a MetricPayload, or of the JSON form `{"series": [{metric, type, points: [{timestamp, value}]}]}`."""
    if "json" in content_type or body.startswith(b"{"):
        return _json_series(body, most, lambda point: (point["timestamp"], point["value"]))
    rows: list[Row] = []
    try:
        for packed in message("MetricPayload").FromString(body).series:
            series = message("MetricSeries").FromString(packed)
            resources = [message("Resource").FromString(resource) for resource in series.resources]
            host = next((resource.name for resource in resources if resource.type == "host"), "")
            tags = [*series.tags, *(f"{it.type}:{it.name}" for it in resources if it.type != "host")]
            kind = _TYPES[series.type] if series.type < len(_TYPES) and series.type > 0 else "gauge"
            text = tag_text(tags)
            at_most(most, len(rows) + len(series.points), "points")
            for packed_point in series.points:
                point = message("MetricPoint").FromString(packed_point)
                if math.isfinite(point.value) and abs(point.timestamp) < _LARGEST_TIME:
                    rows.append(
                        (point.timestamp, series.metric, kind, point.value, host, text, series.unit, series.interval)
                    )
    except DecodeError as error:
        raise malformed(error) from error
    return rows


def _json_series(body: bytes, most: int, pair: Any) -> list[Row]:
    parsed = parse_json(body)
    if not isinstance(parsed, dict) or not isinstance(parsed.get("series", []), list):
        raise malformed("series: not an object with a list `series`")
    rows: list[Row] = []
    try:
        for series in parsed.get("series", []):
            named = [it for it in series.get("resources") or [] if it.get("type") == "host"]
            host = str(series.get("host") or (named[0].get("name", "") if named else ""))
            kind = series.get("type") or "gauge"
            kind = _TYPES[kind] if isinstance(kind, int) and 0 < kind < len(_TYPES) else str(kind)
            tags = tag_text([str(tag) for tag in series.get("tags") or []])
            points = series.get("points") or []
            at_most(most, len(rows) + len(points), "points")
            for point in points:
                timestamp, value = pair(point)
                if isinstance(value, list):  # a distribution point
                    value = sum(value) / len(value)
                value = float(value)
                if not math.isfinite(value) or not abs(float(timestamp)) < _LARGEST_TIME:
                    continue
                unit, interval = str(series.get("unit") or ""), int(series.get("interval") or 0)
                rows.append((int(timestamp), str(series["metric"]), kind, value, host, tags, unit, interval))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, ZeroDivisionError) as error:
        raise malformed(f"series: {type(error).__name__} {error}") from error
    return rows


def sketches(body: bytes, most: int) -> list[Row]:
    """Rows of a SketchPayload; the empty JSON object, the agent's probe, has none."""
    if body.strip() == b"{}":
        return []
    rows: list[Row] = []
    try:
        for packed in message("SketchPayload").FromString(body).sketches:
            sketch = message("Sketch").FromString(packed)
            text = tag_text(sketch.tags)
            at_most(most, len(rows) + len(sketch.dogsketches), "points")
            for packed_part in sketch.dogsketches:
                part = message("Dogsketch").FromString(packed_part)
                figures = (float(part.count), part.sum, part.min, part.max)
                if all(math.isfinite(figure) for figure in figures) and abs(part.timestamp) < _LARGEST_TIME:
                    bins = json.dumps(agent_bins(part.keys, part.counts))
                    rows.append((part.timestamp, sketch.metric, sketch.host, text, *figures, bins))
    except DecodeError as error:
        raise malformed(error) from error
    return rows


def sketch_rows(timestamp: int, metric: str, tags: str, bins: list[tuple[float, float]]) -> Row:
    """One sketch of known bins; its smallest and largest value and its sum are those of the bins."""
    values = [value for value, _ in bins]
    total = sum(weight for _, weight in bins)
    weighted = sum(value * weight for value, weight in bins)
    return (timestamp, metric, "", tags, total, weighted, min(values), max(values), json.dumps(bins))
