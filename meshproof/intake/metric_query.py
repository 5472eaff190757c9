"""Metric queries: `sum:trace.envoy.proxy.hits{service:goapi} by {resource_name}.rollup(sum, 60)`.

Points are first put together for each source over time, then the sources over space, as Datadog does it.
Quantiles (`p50` to `p99.9`) are taken from sketches that are merged.
"""

# ruff: noqa: S608 - names in the SQL are ours or quoted; values are bound.
from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from meshproof.intake.conditions import condition
from meshproof.intake.fields import Fields
from meshproof.intake.index import Index
from meshproof.intake.language import Node, parse, unsupported
from meshproof.intake.sketches import quantile
from meshproof.intake.spoils import Spoils

__all__ = ["MetricQuery", "Series", "parse_metric_query", "series_of"]

_QUERY = re.compile(
    r"\s*(?P<function>avg|sum|min|max|count|p\d{2}(?:\.\d+)?):(?P<metric>[A-Za-z][\w./-]*)"
    r"\s*\{(?P<filter>[^{}]*)\}(?:\s*by\s*\{(?P<by>[^{}]*)\})?(?P<methods>(?:\.\w+\([^()]*\))*)\s*"
)
_METHOD = re.compile(r"\.(\w+)\(([^()]*)\)")
_FUNCTIONS = ("avg", "sum", "min", "max", "count")
_POINTS = 300


@dataclass(frozen=True)
class MetricQuery:
    text: str
    function: str
    metric: str
    node: Node
    by: tuple[str, ...]
    over_time: str | None
    interval: int | None

    def every(self, seconds: int | None) -> MetricQuery:
        """The query with this interval, unless its own rollup names one."""
        return replace(self, interval=self.interval or seconds)


@dataclass(frozen=True)
class Series:
    """Points (seconds, value) of one group; `tags` are `key:value` in the order of the query's `by`."""

    tags: tuple[str, ...]
    points: list[tuple[int, float]]
    interval: int


def parse_metric_query(text: str) -> MetricQuery:
    """Raises Rejected (400) that names what is not supported."""
    found = _QUERY.fullmatch(text)
    if found is None:
        raise unsupported(
            f"the metric query {text[:200]!r}; use function:metric{{filter}} by {{tags}}.rollup(function, seconds)"
        )
    over_time, interval = None, None
    for name, arguments in _METHOD.findall(found["methods"]):
        parts = [part.strip() for part in arguments.split(",") if part.strip()]
        if name == "rollup" and parts:
            over_time = parts[0] if parts[0] in _FUNCTIONS else None
            seconds = parts[1:] if over_time else parts
            if len(seconds) > 1 or not all(part.isdecimal() and int(part) > 0 for part in seconds):
                raise unsupported(f".rollup({arguments})")
            interval = int(seconds[0]) if seconds else None
        elif name == "as_count" and not parts:
            over_time = "sum"
        else:
            raise unsupported(f".{name}({arguments})")
    by = tuple(part.strip() for part in (found["by"] or "").split(",") if part.strip())
    return MetricQuery(text, found["function"], found["metric"], _filter(found["filter"]), by, over_time, interval)


def _filter(text: str) -> Node:
    if re.search(r"(?i)\bIN\s*\(", text):
        raise unsupported("IN (...) in a metric filter")
    if text.strip() in ("", "*"):
        return parse("")
    return parse(re.sub(r"\s*,\s*", " AND ", text.strip()))


def series_of(index: Index, query: MetricQuery, start: int, end: int, spoils: Spoils) -> list[Series]:
    """Series from `start` to `end` (seconds since 1970), one for each group, with points on whole intervals."""
    found = _series(index, query, start, end)
    spoiled = ((it, spoils.points(query.metric, query.text, it.points)) for it in found)
    return [replace(it, points=points) for it, points in spoiled if points is not None]


def _series(index: Index, query: MetricQuery, start: int, end: int) -> list[Series]:
    interval = query.interval or max(1, -(-(end - start) // _POINTS))
    if query.function.startswith("p"):
        return _quantiles(index, query, start, end, interval)
    found = _plain(index, query, start, end, interval)
    return found or _of_sketches(index, query, start, end, interval)


def _selection(
    index: Index, table: str, query: MetricQuery, start: int, end: int, interval: int
) -> tuple[str, str, list[object]]:
    fields = Fields(index, table)
    sql, values = condition(query.node, fields)
    keys = "".join(f", coalesce({fields.as_text(key)}, 'N/A') AS g{number}" for number, key in enumerate(query.by))
    bucket = f'("timestamp" // {interval}) * {interval} AS bucket'
    where = f'metric = ? AND "timestamp" BETWEEN ? AND ? AND {sql}'
    return f"{bucket}{keys}", where, [query.metric, start, end, *values]


def _plain(index: Index, query: MetricQuery, start: int, end: int, interval: int) -> list[Series]:
    selected, where, values = _selection(index, "metrics", query, start, end, interval)
    groups = "".join(f", g{number}" for number in range(len(query.by)))
    # A count adds up over time, anything else is averaged, unless the query says otherwise.
    over_time = (
        f"{query.over_time}(value)" if query.over_time else "if(any_value(type) = 'count', sum(value), avg(value))"
    )
    rows = index.query(
        f"SELECT bucket{groups}, {query.function}(value) AS value FROM ("
        f"SELECT {selected}, host, tags, {over_time} AS value FROM metrics WHERE {where} "
        f"GROUP BY bucket{groups}, host, tags) GROUP BY bucket{groups} ORDER BY bucket",
        values,
    )
    points: defaultdict[tuple[str, ...], list[tuple[int, float]]] = defaultdict(list)
    for row in rows:
        points[_group(query.by, row)].append((row["bucket"], float(row["value"])))
    return [Series(tags, found, interval) for tags, found in sorted(points.items())]


def _of_sketches(index: Index, query: MetricQuery, start: int, end: int, interval: int) -> list[Series]:
    selected, where, values = _selection(index, "sketches", query, start, end, interval)
    groups = "".join(f", g{number}" for number in range(len(query.by)))
    figure = {"avg": 'sum("sum") / sum("count")', "sum": 'sum("sum")', "count": 'sum("count")'}
    sql = figure.get(query.function) or f'{query.function}("{query.function}")'
    rows = index.query(
        f"SELECT bucket{groups}, {sql} AS value FROM (SELECT {selected}, * FROM sketches WHERE {where}) "
        f"GROUP BY bucket{groups} ORDER BY bucket",
        values,
    )
    points: defaultdict[tuple[str, ...], list[tuple[int, float]]] = defaultdict(list)
    for row in rows:
        if row["value"] is not None:
            points[_group(query.by, row)].append((row["bucket"], float(row["value"])))
    return [Series(tags, found, interval) for tags, found in sorted(points.items())]


def _quantiles(index: Index, query: MetricQuery, start: int, end: int, interval: int) -> list[Series]:
    share = float(query.function[1:]) / 100
    selected, where, values = _selection(index, "sketches", query, start, end, interval)
    merged: defaultdict[tuple[tuple[str, ...], int], list[tuple[float, float]]] = defaultdict(list)
    for row in index.query(f"SELECT {selected}, bins FROM sketches WHERE {where}", values):
        merged[_group(query.by, row), row["bucket"]] += [(value, weight) for value, weight in json.loads(row["bins"])]
    points: defaultdict[tuple[str, ...], list[tuple[int, float]]] = defaultdict(list)
    for (tags, bucket), bins in sorted(merged.items()):
        value = quantile(bins, share)
        if value is not None:
            points[tags].append((bucket, value))
    return [Series(tags, found, interval) for tags, found in sorted(points.items())]


def _group(by: Sequence[str], row: dict[str, object]) -> tuple[str, ...]:
    return tuple(f"{key}:{row[f'g{number}']}" for number, key in enumerate(by))
