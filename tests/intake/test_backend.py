"""The object that the suites ask, against a running intake."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from intake_payloads import log_line, span, table_form, text_form

from meshproof.errors import MeshproofError, UsageError
from meshproof.intake.backend import Backend, any_of
from meshproof.keys import Keys


@pytest.fixture
def backend(intake):
    backend = Backend.of_intake(intake.url, intake.settings.key, sleep=lambda _: None)
    yield backend
    backend.close()
    intake.http.delete("/meshproof/faults")


def lately():
    return datetime.now(UTC) - timedelta(minutes=10)


@pytest.mark.parametrize("form", [text_form, table_form])
def test_spans_are_values_with_exact_times(intake, backend, mark, form):
    sent = span(meta={"mark": mark}, error=1)
    intake.http.post("/api/v0.2/traces", content=form(sent, container_tags="pod_name:p"))
    (read,) = backend.spans(f"@mark:{mark}", lately())
    assert (read.start, read.duration) == (sent["start"], sent["duration"])
    assert (read.name, read.resource, read.error) == ("envoy.proxy", sent["resource"], True)
    assert (read.trace_id, read.span_id, read.parent_id) == (f"{sent['trace_id']:032x}", "7", "3")
    assert read.attributes["upstream_cluster.name"] == "inbound|8080||;"
    assert "pod_name:p" in read.tags


def test_many_spans_are_read_over_pages_oldest_first(intake, backend, mark):
    began = time.time_ns()
    spans = [span(span_id=number + 1, start=began + number, service=mark) for number in range(2500)]
    intake.http.post("/api/v0.2/traces", content=table_form(*spans))
    read = backend.spans(f"service:{mark}", lately())
    assert [int(it.span_id) for it in read] == list(range(1, 2501))


def test_too_many_spans_are_an_error_not_a_shorter_list(intake, backend, mark):
    intake.http.post("/api/v0.2/traces", content=table_form(*[span(service=mark)] * 5))
    with pytest.raises(MeshproofError, match="more than 3"):
        backend.spans(f"service:{mark}", lately(), limit=3)


def test_logs_are_values(intake, backend, mark):
    intake.http.post("/api/v2/logs", json=[log_line(f"{mark} text", http={"status_code": 200})])
    (read,) = backend.logs(mark, lately())
    assert (read.message, read.service, read.status) == (f"{mark} text", "goapi", "info")
    assert read.attributes["http.status_code"] == 200
    assert {"kube_namespace:apps", "source:goapi"} <= read.tags


def test_metrics_are_series(intake, backend, mark):
    now = int(time.time())
    intake.http.post("/api/v1/series", json={"series": [{"metric": mark, "points": [[now, 3]], "tags": ["a:b"]}]})
    (series,) = backend.metrics(f"sum:{mark}{{*}} by {{a}}", lately())
    assert series.tags == {"a:b"}
    assert [value for _, value in series.points] == [3]


def test_any_of_asks_for_many_values_at_once(intake, backend, mark):
    values = [f"{mark}-{odd}" for odd in ("a b", "c:d", 'e"f', "g*h", "i(j)", "k\\l")]
    for value in [*values, f"{mark}-gXh"]:
        intake.http.post("/api/v2/logs", json=[log_line("x", label=value)])
    assert {it.attributes["label"] for it in backend.logs(any_of("@label", values), lately())} == set(values)


def test_validate_accepts_the_key_of_the_run(backend):
    backend.validate()


def test_a_wrong_key_is_one_clear_error_without_the_key(intake):
    wrong = Backend.of_intake(intake.url, "5ec4e7" * 5)
    with pytest.raises(UsageError, match="does not accept the API key") as refused:
        wrong.validate()
    assert "5ec4e7" not in str(refused.value)
    wrong.close()


def test_a_site_that_datadog_does_not_have_is_refused_before_any_request():
    with pytest.raises(UsageError, match="DD_SITE"):
        Backend.of_saas(Keys("a", "b"), "example.org")


def test_the_rate_limit_is_waited_for(intake):
    pauses = []
    backend = Backend.of_intake(intake.url, intake.settings.key, sleep=pauses.append)
    limit = {"path": "/api/v2/logs/events/search", "limit": 1, "period": 40}
    try:
        intake.http.put("/meshproof/faults", json={"rate_limits": [limit]})
        backend.logs("x", lately())
        with pytest.raises(MeshproofError, match="429"):
            backend.logs("x", lately())
    finally:
        intake.http.delete("/meshproof/faults")
        backend.close()
    assert pauses, "nothing left: the next question waits"
    assert all(0 < pause <= 40 for pause in pauses)
    assert sum(pauses) <= 300


def test_a_busy_backend_is_asked_again(intake, backend):
    fault = {"path": "/api/v2/spans/*", "status": 503, "times": 2}
    intake.http.put("/meshproof/faults", json={"faults": [fault]})
    assert backend.spans("service:nobody", lately()) == []


def test_a_refused_question_tells_why(backend):
    with pytest.raises(MeshproofError, match="regular expression"):
        backend.logs("/re.*/", lately())


def test_a_backend_that_is_not_there_is_told():
    backend = Backend.of_intake("http://127.0.0.1:9", "a" * 32)
    with pytest.raises(MeshproofError, match="cannot be reached"):
        backend.validate()
    backend.close()
