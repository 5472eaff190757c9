"""The face that clients read from: the part of Datadog's public API that the suites use."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from meshproof.intake.aggregate import aggregate
from meshproof.intake.metric_query import parse_metric_query, series_of
from meshproof.intake.rejections import Rejected, malformed, too_large
from meshproof.intake.search import Window, events
from meshproof.intake.spoils import Spoils
from meshproof.intake.store import Store
from meshproof.intake.times import milliseconds_of

__all__ = ["body_of", "read_routes"]

_LARGEST_REQUEST = 1024 * 1024
_LARGEST_PAGE = 1000
_DAY = 86_400
_SORTS = {"timestamp": False, "-timestamp": True}


def read_routes(store: Store, spoils: Spoils) -> list[Route]:
    def route(path: str, method: str, answer: Callable[[Store, Mapping[str, Any]], dict[str, Any]]) -> Route:
        async def endpoint(request: Request) -> Response:
            asked = await body_of(request) if method == "POST" else dict(request.query_params)
            if not isinstance(asked, dict):
                raise malformed("the request is not a JSON object")
            return await to_thread.run_sync(partial(_answered, store, asked, answer))

        return Route(path, endpoint, methods=[method])

    return [
        Route("/api/v1/validate", _validate, methods=["GET", "HEAD"]),
        route("/api/v2/spans/events/search", "POST", partial(_search_body, "spans", spoils)),
        route("/api/v2/spans/events", "GET", partial(_search_parameters, "spans", spoils)),
        route("/api/v2/spans/analytics/aggregate", "POST", _aggregate_spans),
        route("/api/v2/logs/events/search", "POST", partial(_search_body, "logs", spoils)),
        route("/api/v2/logs/events", "GET", partial(_search_parameters, "logs", spoils)),
        route("/api/v2/logs/analytics/aggregate", "POST", _aggregate_logs),
        route("/api/v1/query", "GET", partial(_query_v1, spoils)),
        route("/api/v2/query/timeseries", "POST", partial(_query_v2, spoils)),
        route("/api/v1/events", "GET", partial(_list_events, spoils)),
    ]


async def body_of(request: Request) -> Any:
    """The JSON body of a request. Raises Rejected (400, 413)."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_REQUEST:
            raise too_large(f"the request has more than {_LARGEST_REQUEST} bytes")
    try:
        return json.loads(body) if body else {}
    except (ValueError, RecursionError) as error:
        raise malformed(f"JSON: {error}") from error


def _answered(
    store: Store, asked: Mapping[str, Any], answer: Callable[[Store, Mapping[str, Any]], dict[str, Any]]
) -> Response:
    began = time.monotonic()
    store.settle()
    try:
        content = answer(store, asked)
    except (AttributeError, TypeError, KeyError, ValueError, OverflowError) as error:
        raise malformed(f"the request has not the expected shape: {type(error).__name__} {error}") from error
    if isinstance(content.get("meta"), dict):
        content["meta"]["elapsed"] = int((time.monotonic() - began) * 1000)
    return JSONResponse(content)


async def _validate(_: Request) -> Response:
    return JSONResponse({"valid": True})  # another key does not come this far


def _window(asked: Mapping[str, Any]) -> Window:
    now = int(time.time() * 1000)
    start = milliseconds_of(asked.get("from") or "now-15m", now)
    end = milliseconds_of(asked.get("to") or "now", now)
    return Window(str(asked.get("query") or ""), start, end)


def _page(
    store: Store, spoils: Spoils, table: str, window: Window, limit: object, cursor: object, sort: object
) -> dict[str, Any]:
    size = int(str(limit or 10))
    if not 1 <= size <= _LARGEST_PAGE:
        raise Rejected(400, "bad_query", f"page.limit: {size}; use 1 to {_LARGEST_PAGE}")
    order = str(sort or "-timestamp")
    if order not in _SORTS:
        raise Rejected(400, "unsupported_query", f"not supported: sort {order!r}; use timestamp or -timestamp")
    text = str(cursor) if cursor else None
    found = events(store.index, table, window, spoils, limit=size, cursor=text, newest_first=_SORTS[order])
    meta = _meta(store, table) | ({"page": {"after": found.after}} if found.after else {})
    return {"data": found.rows, "meta": meta}


def _meta(store: Store, table: str) -> dict[str, Any]:
    meta: dict[str, Any] = {"elapsed": 0, "request_id": f"intake-{time.time_ns():x}", "status": "done"}
    dropped = store.index.dropped[table]
    if dropped:
        detail = f"{dropped} of the oldest {table} were dropped: the store may hold {store.limits.index} bytes"
        meta["warnings"] = [{"code": "oldest_dropped", "title": "The store is full", "detail": detail}]
    return meta


def _search_body(table: str, spoils: Spoils, store: Store, asked: Mapping[str, Any]) -> dict[str, Any]:
    wanted = asked.get("data", {}).get("attributes", {}) if table == "spans" else asked
    page = wanted.get("page") or {}
    window = _window(wanted.get("filter") or {})
    return _page(store, spoils, table, window, page.get("limit"), page.get("cursor"), wanted.get("sort"))


def _search_parameters(table: str, spoils: Spoils, store: Store, asked: Mapping[str, Any]) -> dict[str, Any]:
    window = _window({name: asked.get(f"filter[{name}]") for name in ("query", "from", "to")})
    return _page(store, spoils, table, window, asked.get("page[limit]"), asked.get("page[cursor]"), asked.get("sort"))


def _aggregate_spans(store: Store, asked: Mapping[str, Any]) -> dict[str, Any]:
    wanted = asked.get("data", {}).get("attributes", {})
    window = _window(wanted.get("filter") or {})
    buckets = aggregate(store.index, "spans", window, wanted.get("compute") or [], wanted.get("group_by") or [])
    data = [
        {"id": f"bucket-{number}", "type": "bucket", "attributes": {"by": it.by, "computes": it.computes}}
        for number, it in enumerate(buckets)
    ]
    return {"data": data, "meta": _meta(store, "spans")}


def _aggregate_logs(store: Store, asked: Mapping[str, Any]) -> dict[str, Any]:
    window = _window(asked.get("filter") or {})
    buckets = aggregate(store.index, "logs", window, asked.get("compute") or [], asked.get("group_by") or [])
    return {
        "data": {"buckets": [{"by": it.by, "computes": it.computes} for it in buckets]},
        "meta": _meta(store, "logs"),
    }


def _list_events(spoils: Spoils, store: Store, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Events of a stretch of time (seconds since 1970), the newest first; `tags` have to be there all together."""
    end = int(asked.get("end") or time.time())
    start = int(asked.get("start") or end - _DAY)
    wanted = {tag.strip() for tag in str(asked.get("tags") or "").split(",") if tag.strip()}
    found = events(
        store.index,
        "documents",
        Window("kind:event", start * 1000, end * 1000 + 999),
        spoils,
        limit=_LARGEST_PAGE,
        cursor=None,
        newest_first=True,
    )
    return {"events": [_event(row) for row in found.rows if wanted <= set(row["tags"])]}


def _event(row: Mapping[str, Any]) -> dict[str, Any]:
    """As Datadog lists it. Agents name some fields in another way than the API does."""
    sent: Mapping[str, Any] = row["content"]
    told = (sent.get("date_happened"), sent.get("timestamp"), milliseconds_of(row["received"], 0) // 1000)
    return {
        "title": str(sent.get("title") or sent.get("msg_title") or ""),
        "text": str(sent.get("text") or sent.get("msg_text") or ""),
        "date_happened": next(moment for moment in told if isinstance(moment, int) and moment > 0),
        "host": str(row["host"]),
        "tags": row["tags"],
        **{name: sent[name] for name in ("alert_type", "priority", "source_type_name") if sent.get(name)},
    }


def _query_v1(spoils: Spoils, store: Store, asked: Mapping[str, Any]) -> dict[str, Any]:
    start, end, text = int(asked["from"]), int(asked["to"]), str(asked["query"])
    query = parse_metric_query(text)
    series = [
        {
            "metric": query.metric,
            "display_name": query.metric,
            "aggr": query.function,
            "expression": text,
            "scope": ",".join(found.tags) or "*",
            "tag_set": list(found.tags),
            "pointlist": [[moment * 1000.0, value] for moment, value in found.points],
            "interval": found.interval,
            "length": len(found.points),
            "start": found.points[0][0] * 1000,
            "end": (found.points[-1][0] + found.interval) * 1000 - 1,
            "query_index": 0,
        }
        for found in series_of(store.index, query, start, end, spoils)
    ]
    return {
        "status": "ok",
        "res_type": "time_series",
        "query": text,
        "from_date": start * 1000,
        "to_date": end * 1000,
        "series": series,
        "group_by": list(query.by),
        "message": "",
    }


def _query_v2(spoils: Spoils, store: Store, asked: Mapping[str, Any]) -> dict[str, Any]:
    wanted = asked["data"]["attributes"]
    start, end = int(wanted["from"]) // 1000, int(wanted["to"]) // 1000
    interval = max(1, int(wanted["interval"]) // 1000) if wanted.get("interval") else None
    named = {str(query.get("name") or f"query{number}"): query for number, query in enumerate(wanted["queries"])}
    shown = [str(formula["formula"]).strip() for formula in wanted.get("formulas") or []] or list(named)
    series, lines = [], []
    for number, formula in enumerate(shown):
        if formula not in named:
            raise Rejected(
                400, "unsupported_query", f"not supported: the formula {formula!r}; use the name of one query"
            )
        source = named[formula].get("data_source", "metrics")
        if source != "metrics":
            raise Rejected(400, "unsupported_query", f"not supported: data_source {source!r}")
        query = parse_metric_query(str(named[formula]["query"]))
        for found in series_of(store.index, query.every(interval), start, end, spoils):
            series.append({"group_tags": list(found.tags), "query_index": number, "unit": None})
            lines.append(dict(found.points))
    times = sorted({moment for line in lines for moment in line})
    attributes = {
        "series": series,
        "times": [moment * 1000 for moment in times],
        "values": [[line.get(moment) for moment in times] for line in lines],
    }
    return {"data": {"type": "timeseries_response", "attributes": attributes}}
