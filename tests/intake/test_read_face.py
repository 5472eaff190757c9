"""Datadog's public API as its official client calls it."""

from __future__ import annotations

import time

import pytest
from datadog_api_client import exceptions
from datadog_api_client.v1.api.authentication_api import AuthenticationApi
from datadog_api_client.v1.api.events_api import EventsApi
from datadog_api_client.v1.api.metrics_api import MetricsApi as MetricsApiV1
from datadog_api_client.v1.model.event_create_request import EventCreateRequest
from datadog_api_client.v2.api.logs_api import LogsApi
from datadog_api_client.v2.api.metrics_api import MetricsApi
from datadog_api_client.v2.api.spans_api import SpansApi
from datadog_api_client.v2.model.http_log import HTTPLog
from datadog_api_client.v2.model.http_log_item import HTTPLogItem
from datadog_api_client.v2.model.logs_aggregate_request import LogsAggregateRequest
from datadog_api_client.v2.model.logs_list_request import LogsListRequest
from datadog_api_client.v2.model.spans_aggregate_request import SpansAggregateRequest
from datadog_api_client.v2.model.spans_list_request import SpansListRequest
from datadog_api_client.v2.model.timeseries_formula_query_request import TimeseriesFormulaQueryRequest
from intake_payloads import log_line, span, table_form


@pytest.fixture(scope="module")
def spans(intake):
    """Seven spans of `paged`, a ms apart: ids 1 to 7, the even ones with status 500."""
    began = time.time_ns()
    made = [
        span(
            service="paged",
            span_id=number,
            start=began + number * 1_000_000,
            duration=number * 1_000_000,
            error=int(number % 2 == 0),
            meta={"http.status_code": "500" if number % 2 == 0 else "200"},
        )
        for number in range(1, 8)
    ]
    assert intake.http.post("/api/v0.2/traces", content=table_form(*made)).status_code == 202


def body(query="service:paged", limit=3, sort="timestamp", **page):
    attributes = {"filter": {"query": query, "from": "now-15m", "to": "now"}, "page": {"limit": limit, **page}}
    return SpansListRequest(data={"attributes": {**attributes, "sort": sort}, "type": "search_request"})


def ids(answer):
    return [int(it.attributes.span_id) for it in answer]


def test_validate(intake):
    with intake.api() as client:
        assert AuthenticationApi(client).validate().valid


def test_a_wrong_key_is_forbidden(intake):
    with intake.api(key="0" * 32) as client, pytest.raises(exceptions.ForbiddenException):
        AuthenticationApi(client).validate()


def test_spans_come_page_by_page(intake, spans):
    with intake.api() as client:
        pages = [SpansApi(client).list_spans(body())]
        while "page" in pages[-1].meta:
            pages.append(SpansApi(client).list_spans(body(cursor=pages[-1].meta.page.after)))
    assert [ids(page.data) for page in pages] == [[1, 2, 3], [4, 5, 6], [7]]


def test_the_clients_own_pagination_reads_all_spans(intake, spans):
    with intake.api() as client:
        assert ids(SpansApi(client).list_spans_with_pagination(body())) == [1, 2, 3, 4, 5, 6, 7]
        assert ids(SpansApi(client).list_spans_get_with_pagination(filter_query="service:paged", page_limit=2)) == [
            7,
            6,
            5,
            4,
            3,
            2,
            1,
        ]


def test_a_page_does_not_shift_when_spans_arrive(intake, mark):
    first, later = time.time_ns() - 10**9, time.time_ns()
    one, two, three = (span(service=mark, span_id=it, start=first + it) for it in (1, 2, 3))
    intake.http.post("/api/v0.2/traces", content=table_form(one, two))
    with intake.api() as client:
        page = SpansApi(client).list_spans(body(f"service:{mark}", limit=1, sort="-timestamp"))
        intake.http.post("/api/v0.2/traces", content=table_form(span(service=mark, span_id=9, start=later), three))
        following = SpansApi(client).list_spans(
            body(f"service:{mark}", limit=5, sort="-timestamp", cursor=page.meta.page.after)
        )
    assert (ids(page.data), ids(following.data)) == ([2], [1])


def test_the_window_of_time_is_kept(intake, mark):
    now = time.time_ns()
    made = [span(service=mark, span_id=hours, start=now - hours * 3600 * 10**9) for hours in (0, 2, 5)]
    intake.http.post("/api/v0.2/traces", content=table_form(*made))
    with intake.api() as client:
        read = SpansApi(client).list_spans_get(filter_query=f"service:{mark}", filter_from="now-3h", filter_to="now-1h")
    assert ids(read.data) == [2]


def aggregate_request(compute, group_by=()):
    attributes = {"compute": compute, "filter": {"query": "service:paged"}, "group_by": list(group_by)}
    return SpansAggregateRequest(data={"attributes": attributes, "type": "aggregate_request"})


def test_spans_are_aggregated_by_a_facet(intake, spans):
    compute = [{"aggregation": "count"}, {"aggregation": "max", "metric": "@duration"}]
    with intake.api() as client:
        answer = SpansApi(client).aggregate_spans(aggregate_request(compute, [{"facet": "@http.status_code"}]))
    found = {it.attributes.by["@http.status_code"]: dict(it.attributes.computes) for it in answer.data}
    assert found == {"200": {"c0": 4.0, "c1": 7_000_000.0}, "500": {"c0": 3.0, "c1": 6_000_000.0}}


def test_spans_are_aggregated_without_a_facet_and_over_time(intake, spans):
    compute = [{"aggregation": "pc99", "metric": "@duration"}]
    compute += [{"aggregation": "count", "type": "timeseries", "interval": "1h"}]
    with intake.api() as client:
        (bucket,) = SpansApi(client).aggregate_spans(aggregate_request(compute)).data
    assert bucket.attributes.computes["c0"] == pytest.approx(6_940_000)
    assert sum(point["value"] for point in bucket.attributes.computes["c1"]) == 7


@pytest.mark.parametrize(
    ("compute", "group"),
    [
        ({"aggregation": "count"}, {"facet": "service", "histogram": {"interval": 1, "min": 0, "max": 2}}),
        ({"aggregation": "count"}, {"facet": "service", "total": True}),
    ],
)
def test_an_unsupported_aggregation_is_named(intake, compute, group):
    unsupported = next(part for part in ("histogram", "total") if part in group)
    with intake.api() as client, pytest.raises(exceptions.ApiException) as refused:
        SpansApi(client).aggregate_spans(aggregate_request([compute], [group]))
    assert refused.value.status == 400
    assert unsupported in str(refused.value.body)


def test_logs_are_submitted_and_found(intake, mark):
    with intake.api() as client:
        api = LogsApi(client)
        item = HTTPLogItem(message=f"{mark} hello", ddtags="kube_namespace:apps", service="shop", ddsource="go")
        api.submit_log(HTTPLog([item]))
        request = LogsListRequest(filter={"query": f"{mark} kube_namespace:apps", "from": "now-5m", "to": "now"})
        (found,) = api.list_logs(body=request).data
    assert (found.attributes.message, found.attributes.service) == (f"{mark} hello", "shop")
    assert "source:go" in found.attributes.tags


def test_logs_come_page_by_page(intake, mark):
    lines = [log_line(f"{mark} {number}", timestamp=int(time.time() * 1000) + number) for number in range(5)]
    intake.http.post("/api/v2/logs", json=lines)
    request = LogsListRequest(filter={"query": mark}, page={"limit": 2}, sort="timestamp")
    with intake.api() as client:
        read = [log.attributes.message for log in LogsApi(client).list_logs_with_pagination(body=request)]
        by_get = list(LogsApi(client).list_logs_get_with_pagination(filter_query=mark, page_limit=2))
    assert read == [f"{mark} {number}" for number in range(5)]
    assert len(by_get) == 5


def test_logs_are_aggregated(intake, mark):
    lines = [log_line(mark, status=status) for status in ("info", "error", "error")]
    intake.http.post("/api/v2/logs", json=lines)
    request = LogsAggregateRequest(
        compute=[{"aggregation": "count", "type": "total"}], filter={"query": mark}, group_by=[{"facet": "status"}]
    )
    with intake.api() as client:
        buckets = LogsApi(client).aggregate_logs(request).data.buckets
    assert [(it.by["status"], it.computes["c0"]) for it in buckets] == [("error", 2.0), ("info", 1.0)]


def test_metrics_are_queried_in_both_versions(intake, mark):
    now = int(time.time()) // 60 * 60
    series = [
        {"metric": mark, "points": [[now, value]], "type": "gauge", "host": "h", "tags": [f"pod:{pod}"]}
        for pod, value in (("a", 1), ("b", 3))
    ]
    intake.http.post("/api/v1/series", json={"series": series})
    query = f"avg:{mark}{{*}} by {{pod}}"
    with intake.api() as client:
        old = MetricsApiV1(client).query_metrics(now - 300, now + 300, query)
        attributes = {
            "formulas": [{"formula": "a"}],
            "from": (now - 300) * 1000,
            "to": (now + 300) * 1000,
            "interval": 60_000,
            "queries": [{"data_source": "metrics", "query": query, "name": "a"}],
        }
        request = TimeseriesFormulaQueryRequest(data={"attributes": attributes, "type": "timeseries_request"})
        new = MetricsApi(client).query_timeseries_data(request).data.attributes
    assert [(it.scope, [point.value[1] for point in it.pointlist]) for it in old.series] == [
        ("pod:a", [1]),
        ("pod:b", [3]),
    ]
    assert [it.group_tags.value for it in new.series.value] == [["pod:a"], ["pod:b"]]
    assert [line.value for line in new.values.value] == [[1.0], [3.0]]
    assert new.times.value == [now * 1000]


@pytest.mark.parametrize("query", ["avg:a{*} + avg:b{*}", "top(avg:a{*}, 5)", "avg:a{x IN (y)}", "avg:a{*}.fill(0)"])
def test_an_unsupported_metric_query_is_named(intake, query):
    now = int(time.time())
    with intake.api() as client, pytest.raises(exceptions.ApiException) as refused:
        MetricsApiV1(client).query_metrics(now - 60, now, query)
    assert refused.value.status == 400
    assert "not supported" in str(refused.value.body)


@pytest.mark.parametrize(
    "parameters",
    [
        {"filter[query]": "service:x AND ("},
        {"page[limit]": "1001"},
        {"page[cursor]": "nonsense"},
        {"sort": "service"},
        {"filter[from]": "yesterday"},
    ],
)
def test_a_bad_search_is_refused(intake, parameters):
    assert intake.http.get("/api/v2/spans/events", params=parameters).status_code == 400


@pytest.mark.parametrize(
    "content", [b"[]", b"nonsense", b'{"data": 1}', b'{"data": {"attributes": {"page": {"limit": "many"}}}}']
)
def test_a_request_of_another_shape_is_refused(intake, content):
    assert intake.http.post("/api/v2/spans/events/search", content=content).status_code == 400


def test_posted_events_are_listed_by_time_and_tags(intake, mark):
    now = int(time.time())
    with intake.api() as client:
        api = EventsApi(client)
        for number, more in enumerate(({"alert_type": "error"}, {"date_happened": now - 60})):
            tags = [f"mark:{mark}", f"number:{number}"]
            api.create_event(EventCreateRequest(title=f"event {number}", text="it came", tags=tags, **more))
        both = api.list_events(start=now - 5, end=now + 60, tags=f"mark:{mark}").events
        (one,) = api.list_events(start=now - 5, end=now + 60, tags=f"mark:{mark},number:0").events
        assert not api.list_events(start=now - 900, end=now - 600, tags=f"mark:{mark}").events
    assert [event.title for event in both] == ["event 1", "event 0"]
    assert both[0].date_happened == now - 60
    assert (one.text, str(one.alert_type), sorted(one.tags)) == ("it came", "error", [f"mark:{mark}", "number:0"])


def test_an_event_with_an_odd_time_does_not_hide_the_others(intake, mark):
    for odd in ("never", -1, None, {"a": 1}):
        intake.http.post("/api/v1/events", json={"title": mark, "text": "x", "date_happened": odd, "tags": [mark]})
    now = int(time.time())
    found = intake.http.get("/api/v1/events", params={"start": now - 60, "end": now + 60, "tags": mark}).json()[
        "events"
    ]
    assert len(found) == 4
    assert all(abs(event["date_happened"] - now) < 60 for event in found)
