"""The pipelines in fixtures/manifests/datadog do to real lines what they say."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from datadog_api_client.v1.model.logs_pipeline import LogsPipeline
from intake_payloads import log_line

from meshproof.files import fixtures_folder
from meshproof.intake.logs import Log
from meshproof.intake.matching import log_matcher
from meshproof.intake.pipelines import compile_pipelines
from meshproof.manifests import load_manifests

(CONFIG_MAP,) = load_manifests([fixtures_folder() / "manifests" / "datadog" / "log-pipelines.yaml"])
PIPELINES = yaml.safe_load(CONFIG_MAP["data"]["log-pipelines.yaml"])

ENVOY = (
    '{"authority":"goapi.apps.svc.cluster.local","bytes_received":10,"bytes_sent":68,'
    '"connection_termination_details":null,"downstream_local_address":"10.244.0.11:8080",'
    '"downstream_local_uri_san":null,"downstream_peer_uri_san":null,"downstream_remote_address":"172.18.0.1:50648",'
    '"downstream_tls_version":null,"duration":5,"method":"POST","path":"/books?shelf=2","protocol":"HTTP/1.1",'
    '"request_id":"325f6ba1-3094-4b00-bb75-597d47b100db","requested_server_name":null,"response_code":400,'
    '"response_code_details":"via_upstream","response_flags":"-","route_name":"goapi",'
    '"start_time":"2026-11-21T11:06:11.380Z","upstream_cluster":"outbound|80||goapi.apps.svc.cluster.local",'
    '"upstream_host":"10.244.0.10:8080","upstream_peer_uri_san":"spiffe://cluster.local/ns/apps/sa/goapi",'
    '"upstream_transport_failure_reason":null,"user_agent":"python-httpx/0.28.1","x_forwarded_for":"172.18.0.1"}'
)
REFUSED = {
    **json.loads(ENVOY),
    "response_code": 0,
    "response_code_details": None,
    "response_flags": "NR",
    "method": None,
    "path": None,
}
APP = (
    '{"time":"2026-11-21T11:06:11.38Z","level":"warn","message":"GET /books/7 404","service":"goapi","version":"v1",'
    '"http.method":"GET","http.url":"http://goapi.apps.svc.cluster.local/books/7?full=1","http.status_code":404,'
    '"http.request_id":"325f6ba1","duration":1500000}'
)


def processed(message: str, **changes: Any) -> Log:
    log = Log(log_line(message, **changes), 0)
    compile_pipelines(PIPELINES, log_matcher)(log)
    return log


@pytest.mark.parametrize("source", ["proxyv2", "istio"])
def test_a_request_through_envoy_gets_datadogs_own_names(source: str) -> None:
    log = processed(ENVOY, ddsource=source)
    assert log.attributes["http"] == {
        "method": "POST",
        "url": "/books?shelf=2",
        "status_code": 400,
        "useragent": "python-httpx/0.28.1",
        "request_id": "325f6ba1-3094-4b00-bb75-597d47b100db",
        "url_details": {"path": "/books", "queryString": {"shelf": "2"}},
        "status_category": "warning",
    }
    assert log.attributes["duration"] == 5_000_000
    assert log.attributes["upstream_cluster"] == "outbound|80||goapi.apps.svc.cluster.local"
    assert log.status == "warn"


@pytest.mark.parametrize(
    ("code", "status"), [(200, "ok"), (301, "notice"), (404, "warn"), (503, "error"), (0, "error")]
)
def test_the_status_follows_the_status_code(code: int, status: str) -> None:
    line = json.dumps({**json.loads(ENVOY), "response_code": code})
    assert processed(line, ddsource="proxyv2").status == status


def test_a_refused_connection_has_neither_method_nor_url() -> None:
    log = processed(json.dumps(REFUSED), ddsource="proxyv2")
    assert log.status == "error"
    assert {"method", "url", "url_details"} & log.attributes["http"].keys() == set()


def test_other_lines_of_the_proxy_stay_as_they_are() -> None:
    log = processed("2026-11-21T11:06:02Z info cache generated new workload certificate", ddsource="proxyv2")
    assert (log.attributes, log.status) == ({}, "info")


def test_lines_of_others_stay_as_they_are() -> None:
    assert "http" not in processed(ENVOY, ddsource="nginx", service="shop").attributes


def test_an_apps_line_gets_what_it_lacks_and_keeps_the_rest() -> None:
    log = processed(APP, ddsource="goapi", service="goapi")
    assert log.attributes["http"]["url_details"] == {
        "scheme": "http",
        "host": "goapi.apps.svc.cluster.local",
        "path": "/books/7",
        "queryString": {"full": "1"},
    }
    assert log.attributes["http"]["status_category"] == "warning"
    assert (log.attributes["http.status_code"], log.attributes["duration"]) == (404, 1_500_000)
    assert (log.status, log.message) == ("warn", "GET /books/7 404")


@pytest.mark.parametrize("definition", PIPELINES, ids=lambda definition: definition["name"])
def test_the_official_client_accepts_the_shape(definition: dict[str, Any]) -> None:
    assert LogsPipeline(**definition, _check_type=True).name == definition["name"]
