"""Faults on purpose, as agents and the official client meet them."""

from __future__ import annotations

import httpx
import pytest
from datadog_api_client import exceptions
from datadog_api_client.v1.api.authentication_api import AuthenticationApi
from datadog_api_client.v2.api.logs_api import LogsApi
from datadog_api_client.v2.api.spans_api import SpansApi
from intake_payloads import log_line

from meshproof.intake.faults import Faults
from meshproof.intake.rejections import Rejected


@pytest.fixture
def faulty(intake):
    def switch_on(**settings):
        answer = intake.http.put("/meshproof/faults", json=settings)
        assert answer.status_code == 200, answer.text

    yield switch_on
    intake.http.delete("/meshproof/faults")


def send(intake, **headers):
    return intake.http.post("/api/v2/logs", json=[log_line("x")], headers=headers).status_code


@pytest.mark.parametrize("status", [403, 413, 429, 500, 503])
def test_a_status_is_answered_only_on_its_path_and_nothing_is_stored(intake, faulty, mark, status):
    faulty(faults=[{"path": "/api/v2/logs", "method": "POST", "status": status}])
    assert intake.http.post("/api/v2/logs", json=[log_line(mark)]).status_code == status
    assert intake.http.post("/api/v1/check_run", json=[]).status_code == 202
    intake.http.delete("/meshproof/faults")
    assert intake.http.get("/api/v2/logs/events", params={"filter[query]": mark}).json()["data"] == []


def test_a_reset_breaks_the_connection(intake, faulty):
    faulty(faults=[{"path": "/api/v0.2/*", "reset": True}])
    with pytest.raises(httpx.NetworkError, match="reset"):
        intake.http.post("/api/v0.2/traces", content=b"x" * 100_000)
    assert send(intake) == 202


def test_every_third_request_fails_twice_at_most(intake, faulty):
    faulty(faults=[{"path": "/api/v2/logs", "status": 500, "every": 3, "times": 2}])
    assert [send(intake) for _ in range(9)] == [202, 202, 500, 202, 202, 500, 202, 202, 202]


def test_a_share_fails_and_a_seed_repeats_it(intake, faulty):
    runs = []
    for _ in range(2):
        faulty(faults=[{"path": "/api/v2/logs", "status": 500, "probability": 0.3}], seed=7)
        runs.append([send(intake) for _ in range(20)])
    assert runs[0] == runs[1]
    assert 1 <= runs[0].count(500) <= 14
    assert intake.http.get("/meshproof/faults").json()["injected"] == [runs[0].count(500)]


def test_the_official_client_retries_after_429(intake, faulty):
    faulty(faults=[{"path": "/api/v2/spans/*", "status": 429, "times": 1, "reset_after": 1}])
    with intake.api(enable_retry=True, max_retries=2) as client:
        assert SpansApi(client).list_spans_get(filter_query="service:nobody").data == []


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, exceptions.ForbiddenException), (429, exceptions.ApiException), (503, exceptions.ServiceException)],
)
def test_the_official_client_raises_without_retry(intake, faulty, status, error):
    faulty(faults=[{"path": "/api/v2/logs/events/search", "status": status}])
    with intake.api() as client, pytest.raises(error) as raised:
        LogsApi(client).list_logs()
    assert raised.value.status == status


def test_a_rate_limit_tells_what_is_left(intake, faulty):
    faulty(rate_limits=[{"path": "/api/v1/validate", "limit": 2, "period": 60}])
    with intake.api(return_http_data_only=False) as client:
        left = [AuthenticationApi(client).validate()[2]["x-ratelimit-remaining"] for _ in range(2)]
        with pytest.raises(exceptions.ApiException) as limited:
            AuthenticationApi(client).validate()
    assert left == ["1", "0"]
    assert limited.value.status == 429
    assert 0 < int(limited.value.headers["x-ratelimit-reset"]) <= 60


def test_a_rate_limit_begins_anew_after_its_period():
    now = [0.0]
    faults = Faults(clock=lambda: now[0])
    faults.replace({"rate_limits": [{"path": "/a", "limit": 1, "period": 10}]})
    assert [faults.rate_limit("/a")[0] for _ in range(2)] == [True, False]
    now[0] = 10.0
    assert faults.rate_limit("/a")[0]


@pytest.mark.parametrize(
    "fault",
    [{"path": "/a"}, {"status": 500, "reset": True}, {"status": 200}, {"status": 500, "probability": 2}, {"x": 1}],
)
def test_a_fault_that_makes_no_sense_is_refused(fault):
    with pytest.raises(Rejected, match="bad_fault"):
        Faults().replace({"faults": [fault]})


def test_faults_need_the_key_and_leave_the_control_path_alone(intake, faulty):
    assert intake.http.put("/meshproof/faults", json={}, headers={"DD-API-KEY": "x"}).status_code == 403
    faulty(faults=[{"status": 500}])
    assert intake.http.get("/meshproof/status").status_code == 200
