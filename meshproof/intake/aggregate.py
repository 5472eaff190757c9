"""Aggregations of spans and logs: counts, sums and quantiles, by facets and over time."""

# ruff: noqa: S608 - names in the SQL are ours or quoted; values are bound.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meshproof.intake.fields import Fields
from meshproof.intake.index import Index
from meshproof.intake.rejections import Rejected
from meshproof.intake.search import Window, in_window
from meshproof.intake.times import iso, seconds_of_interval

__all__ = ["Bucket", "aggregate"]

_FIGURES = {
    "sum": "sum({})",
    "avg": "avg({})",
    "min": "min({})",
    "max": "max({})",
    "median": "quantile_cont({}, 0.5)",
    "pc75": "quantile_cont({}, 0.75)",
    "pc90": "quantile_cont({}, 0.9)",
    "pc95": "quantile_cont({}, 0.95)",
    "pc98": "quantile_cont({}, 0.98)",
    "pc99": "quantile_cont({}, 0.99)",
}
_TIME_MS = {"spans": "start // 1000000", "logs": '"timestamp"'}
_MOST_GROUPS = 10_000


@dataclass(frozen=True)
class Bucket:
    by: dict[str, str]
    computes: dict[str, Any]


@dataclass(frozen=True)
class _Compute:
    name: str
    sql: str
    interval: float | None


def aggregate(
    index: Index, table: str, window: Window, computes: Sequence[Mapping[str, Any]], groups: Sequence[Mapping[str, Any]]
) -> list[Bucket]:
    """Buckets in the order that the first group's sort asks for (default: by the first compute, largest first).

    Raises Rejected (400) that names what is not supported: histograms, totals, other functions.
    """
    fields = Fields(index, table)
    wanted = [_compute(number, it, fields) for number, it in enumerate(computes or [{"aggregation": "count"}])]
    facets = [str(_required(group, "facet")) for group in groups]
    for group in groups:
        for part in ("histogram", "total"):
            if group.get(part):
                raise Rejected(400, "unsupported_query", f"not supported in group_by: {part}")
    where, values = in_window(index, table, window)
    keys = [_key(fields, facet, group) for facet, group in zip(facets, groups, strict=True)]
    # An event without the facet is in no bucket; `missing` has given it a value, then it is.
    present = [f"({key}) IS NOT NULL" for key in keys]
    condition = " AND ".join([where, *present])
    buckets: dict[tuple[str, ...], dict[str, Any]] = {}
    totals = [compute for compute in wanted if compute.interval is None]
    if totals:
        for row in _rows(index, table, condition, values, keys, totals, None):
            group_key = tuple(str(row[f"g{number}"]) for number in range(len(keys)))
            buckets.setdefault(group_key, {}).update({compute.name: row[compute.name] for compute in totals})
    for compute in wanted:
        if compute.interval is not None:
            for row in _rows(index, table, condition, values, keys, [compute], compute.interval):
                group_key = tuple(str(row[f"g{number}"]) for number in range(len(keys)))
                series = buckets.setdefault(group_key, {}).setdefault(compute.name, [])
                series.append({"time": iso(row["moment"]), "value": row[compute.name]})
    found = [Bucket(dict(zip(facets, key, strict=True)), figures) for key, figures in buckets.items()]
    return _sorted(found, wanted, facets, groups)


def _rows(
    index: Index,
    table: str,
    condition: str,
    values: Sequence[object],
    keys: Sequence[str],
    computes: Sequence[_Compute],
    interval: float | None,
) -> list[dict[str, Any]]:
    selected = [f"{key} AS g{number}" for number, key in enumerate(keys)]
    grouped = [f"g{number}" for number in range(len(keys))]
    if interval is not None:
        step = max(1, int(interval * 1000))
        selected.append(f"(({_TIME_MS[table]}) // {step}) * {step} AS moment")
        grouped.append("moment")
    selected += [f"{compute.sql} AS {compute.name}" for compute in computes]
    tail = f" GROUP BY {', '.join(grouped)}" if grouped else ""
    tail += " ORDER BY moment" if interval is not None else ""
    statement = f"SELECT {', '.join(selected)} FROM {table} WHERE {condition}{tail} LIMIT {_MOST_GROUPS}"
    return index.query(statement, values)


def _key(fields: Fields, facet: str, group: Mapping[str, Any]) -> str:
    text = fields.as_text(facet)
    missing = group.get("missing")
    if isinstance(missing, str):
        quoted = missing.replace("'", "''")
        return f"coalesce({text}, '{quoted}')"
    return text


def _compute(number: int, asked: Mapping[str, Any], fields: Fields) -> _Compute:
    function = str(_required(asked, "aggregation"))
    kind = asked.get("type") or "total"
    if kind not in ("total", "timeseries"):
        raise Rejected(400, "unsupported_query", f"not supported in compute: type {kind}")
    interval = seconds_of_interval(asked.get("interval") or "5m") if kind == "timeseries" else None
    metric = asked.get("metric")
    if function == "count" and not metric:
        return _Compute(f"c{number}", "count(*)", interval)
    if metric is None:
        raise Rejected(400, "bad_query", f"compute {function}: metric is missing")
    if function in ("count", "cardinality"):
        what = f"DISTINCT {fields.as_text(str(metric))}" if function == "cardinality" else fields.as_text(str(metric))
        return _Compute(f"c{number}", f"count({what})", interval)
    if function not in _FIGURES:
        raise Rejected(400, "unsupported_query", f"not supported in compute: aggregation {function}")
    return _Compute(f"c{number}", _FIGURES[function].format(fields.as_number(str(metric))), interval)


def _required(asked: Mapping[str, Any], name: str) -> Any:
    if name not in asked:
        raise Rejected(400, "bad_query", f"{name} is missing")
    return asked[name]


def _sorted(
    buckets: list[Bucket], wanted: Sequence[_Compute], facets: Sequence[str], groups: Sequence[Mapping[str, Any]]
) -> list[Bucket]:
    totals = [compute.name for compute in wanted if compute.interval is None]
    ordering = dict(groups[0].get("sort") or {}) if groups else {}
    if ordering.get("type") == "alphabetical":
        buckets.sort(key=lambda it: it.by[facets[0]], reverse=ordering.get("order") == "desc")
    elif totals:
        buckets.sort(key=lambda it: tuple(it.by.values()))
        buckets.sort(key=lambda it: it.computes.get(totals[0]) or 0, reverse=ordering.get("order", "desc") != "asc")
    for facet, group in zip(facets, groups, strict=True):
        kept = list(dict.fromkeys(bucket.by[facet] for bucket in buckets))[: max(1, int(group.get("limit") or 10))]
        buckets = [bucket for bucket in buckets if bucket.by[facet] in kept]
    return buckets
