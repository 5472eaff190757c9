"""Log pipelines: Datadog's shapes, set with Datadog's client, applied to what comes in."""

from __future__ import annotations

import httpx
import pytest
from datadog_api_client.v1.api.logs_pipelines_api import LogsPipelinesApi
from datadog_api_client.v1.model.logs_pipeline import LogsPipeline
from intake_payloads import log_line

from meshproof.intake.logs import Log, milliseconds, status_word
from meshproof.intake.matching import log_matcher
from meshproof.intake.pipelines import compile_pipelines
from meshproof.intake.rejections import Rejected
from meshproof.intake.server import IntakeSettings, running

ACCESS_LOG = {
    "name": "proxy access log",
    "is_enabled": True,
    "filter": {"query": "source:proxyv2"},
    "processors": [
        {"type": "attribute-remapper", "sources": ["response_code"], "target": "http.status_code"},
        {"type": "attribute-remapper", "sources": ["path"], "target": "http.url"},
        {"type": "attribute-remapper", "sources": ["method"], "target": "http.method", "preserve_source": True},
        {"type": "attribute-remapper", "sources": ["duration"], "target": "duration", "target_format": "integer"},
        {"type": "attribute-remapper", "sources": ["pod"], "target": "pod_name", "target_type": "tag"},
        {"type": "status-remapper", "sources": ["level"]},
    ],
}
LINE = '{"response_code": 503, "path": "/x", "method": "GET", "duration": "17", "pod": "p-1", "level": "ERROR"}'


def processed(pipeline, message, **changes):
    log = Log(log_line(message, **changes), 0)
    compile_pipelines([pipeline], log_matcher)(log)
    return log


def test_an_access_log_gets_standard_attributes():
    log = processed(ACCESS_LOG, LINE, ddsource="proxyv2")
    assert log.attributes["http"] == {"status_code": 503, "url": "/x", "method": "GET"}
    assert log.attributes["duration"] == 17
    assert "response_code" not in log.attributes
    assert "method" in log.attributes
    assert "pod_name:p-1" in log.tags
    assert log.status == "error"


def test_a_log_that_the_filter_does_not_match_stays():
    assert "http" not in processed(ACCESS_LOG, LINE, ddsource="other").attributes


def test_a_grok_parser_takes_lines_apart():
    rules = (
        'access %{ip:network.client.ip} "%{word:http.method} %{notSpace:http.url}" %{integer:http.status_code:integer}'
    )
    pipeline = {
        "name": "g",
        "processors": [{"type": "grok-parser", "source": "message", "grok": {"match_rules": rules}}],
    }
    log = processed(pipeline, '10.0.0.1 "GET /a" 204')
    assert log.attributes["http"] == {"method": "GET", "url": "/a", "status_code": 204}
    assert processed(pipeline, "something else").attributes == {}


def test_a_nested_pipeline_is_applied():
    nested = {"name": "n", "processors": [{"type": "pipeline", "name": "inner", **ACCESS_LOG}]}
    assert processed(nested, LINE, ddsource="proxyv2").attributes["http"]["status_code"] == 503


@pytest.mark.parametrize(
    "processor",
    [
        {"type": "geo-ip-parser"},
        {"type": "attribute-remapper", "sources": ["a"]},
        {"type": "grok-parser", "grok": {"match_rules": "r %{regex:a}"}},
        {"type": "grok-parser", "grok": {"match_rules": "r (%{word:a}"}},
    ],
)
def test_what_is_not_supported_is_refused(processor):
    with pytest.raises(Rejected):
        compile_pipelines([{"name": "x", "processors": [processor]}], log_matcher)


def test_the_official_client_sets_pipelines_that_last(own_intake, mark):
    with own_intake.api() as client:
        api = LogsPipelinesApi(client)
        made = api.create_logs_pipeline(LogsPipeline(**ACCESS_LOG))
        own_intake.http.post("/api/v2/logs", json=[log_line(LINE, ddsource="proxyv2")])
        query = {"filter[query]": "@http.status_code:503 status:error"}
        assert len(own_intake.http.get("/api/v2/logs/events", params=query).json()["data"]) == 1
        assert api.get_logs_pipeline(made.id).name == "proxy access log"
        assert [it.id for it in api.list_logs_pipelines().value] == [made.id]
        api.delete_logs_pipeline(made.id)
        assert api.list_logs_pipelines().value == []


def test_pipelines_survive_a_restart(tmp_path):
    settings = IntakeSettings(folder=tmp_path, port=0, pipelines=[ACCESS_LOG])
    with running(settings):
        pass
    again = IntakeSettings(folder=tmp_path, port=0)
    with running(again) as url:
        kept = httpx.get(f"{url}/api/v1/logs/config/pipelines", headers={"DD-API-KEY": again.key}).json()
    assert [it["name"] for it in kept] == ["proxy access log"]


@pytest.mark.parametrize(
    ("level", "status"), [("WARNING", "warn"), (3, "error"), ("Fatal", "emergency"), ("", "info"), ("panic?", "info")]
)
def test_levels_become_statuses(level, status):
    assert status_word(level) == status


@pytest.mark.parametrize(
    "value", [1_700_000_000, 1_700_000_000_000, 1_700_000_000_000_000, "1700000000000", "2023-11-14T22:13:20+00:00"]
)
def test_times_are_read_in_every_unit(value):
    assert milliseconds(value, 0) == 1_700_000_000_000


def test_a_json_message_gives_attributes():
    log = Log(log_line('{"message": "inner", "level": "warn", "a": {"b": 1}}'), 0)
    assert (log.message, log.status, log.attributes["a"]) == ("inner", "warn", {"b": 1})
