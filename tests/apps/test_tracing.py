"""The apps' own spans, profiles and log fields, with the environment that their manifests give them."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from app_manifests import container, environment
from app_process import CANARY, fake_speaker, running
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from conftest import Command
from meshproof.intake.backend import Backend, Span
from meshproof.intake.server import IntakeSettings
from meshproof.intake.server import running as running_intake
from meshproof.waiting import eventually

DEPLOYMENT = {"v1": "text-to-speech", "v2": "text-to-speech-canary"}
TRACE, PARENT = "0123456789abcdef1111222233334444", 0x5555666677778888
SIDECAR = {
    "x-datadog-trace-id": str(int(TRACE[16:], 16)),
    "x-datadog-parent-id": str(PARENT),
    "x-datadog-sampling-priority": "1",
    "x-datadog-tags": f"_dd.p.dm=-4,_dd.p.tid={TRACE[:16]}",
    "x-datadog-origin": "synthetics",
    "traceparent": f"00-{TRACE}-{PARENT:016x}-01",
    "tracestate": "dd=s:1;o:synthetics;t.dm:-4",
    "x-request-id": "abc",
}


class Agent:
    """An intake that takes spans from tracers."""

    def __init__(self, url: str, backend: Backend) -> None:
        self.port = int(url.rpartition(":")[2])
        self._backend = backend
        self._began = datetime.now(UTC) - timedelta(seconds=1)

    def spans(self) -> list[Span]:
        return self._backend.spans("*", self._began)

    def span(self, name: str, service: str = "text-to-speech") -> Span:
        """The only span of that name and service."""
        (found,) = [span for span in self.spans() if (span.name, span.service) == (name, service)]
        return found


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    settings = IntakeSettings(tmp_path / "intake", port=0, tracers=True)
    with running_intake(settings) as url:
        backend = Backend.of_intake(url, settings.key)
        yield Agent(url, backend)
        backend.close()


@pytest.fixture
def given(version: str, tmp_path: Path, httpserver: HTTPServer) -> dict[str, str]:
    """The environment of the manifest, on this machine."""
    return {
        **environment(DEPLOYMENT[version]),
        "DD_PROFILING_ENABLED": "false",
        "DRAIN_SECONDS": "0",
        "GOAPI_URL": httpserver.url_for(""),
        "AUDIO_DIR": str(tmp_path / "audio"),
        "ESPEAK": str(fake_speaker(tmp_path)),
    }


Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(command: Command, tmp_path: Path, given: dict[str, str], agent: Agent) -> Ask:
    """Sends one request to an app which ends after it: what it had to send and to log is there then."""

    def ask_once(path: str, headers: dict[str, str] | None = None, **changes: str) -> httpx.Response:
        with running(command, tmp_path, **given | {"DD_TRACE_AGENT_PORT": str(agent.port)} | changes) as app:
            answer = httpx.get(f"{app.url}{path}", headers=headers)
            app.stop()
            assert app.exit_code() == 0
            answer.extensions["log"] = app.lines()
        return answer

    return ask_once


def heard(httpserver: HTTPServer) -> list[dict[str, str]]:
    """Makes goapi have no books; the headers of each request to it come into the list."""
    seen: list[dict[str, str]] = []

    def books(request: Request) -> Response:
        seen.append({name.lower(): value for name, value in request.headers.items()})
        return Response("{}")

    httpserver.expect_request("/books").respond_with_handler(books)
    return seen


def test_one_request_is_one_trace_through_both_services(
    ask: Ask, agent: Agent, compiled: Callable[[str], Command], tmp_path: Path
) -> None:
    (tmp_path / "goapi").mkdir()
    more = {"DRAIN_SECONDS": "0", "DD_PROFILING_ENABLED": "false", "DD_TRACE_AGENT_PORT": str(agent.port)}
    with running(compiled("goapi"), tmp_path / "goapi", **environment("goapi") | more) as goapi:
        assert ask("/speak?a=b", SIDECAR, GOAPI_URL=goapi.url).status_code == 200
        goapi.stop()
        assert goapi.exit_code() == 0
    spans = agent.spans()
    names = {span.span_id: f"{span.service} {span.name}" for span in spans} | {str(PARENT): "the sidecar"}
    assert {span.trace_id for span in spans} == {TRACE}
    assert {(f"{span.service} {span.name}", span.resource, names[span.parent_id], span.error) for span in spans} == {
        ("text-to-speech http.server.request", "GET /speak", "the sidecar", False),
        ("text-to-speech http.client.request", "GET /books", "text-to-speech http.server.request", False),
        ("text-to-speech speech.synthesize", "espeak-ng", "text-to-speech http.server.request", False),
        ("text-to-speech audio.store", "audio.store", "text-to-speech http.server.request", False),
        ("goapi http.server.request", "GET /books", "text-to-speech http.client.request", False),
    }


def test_spans_say_what_they_are_of(ask: Ask, agent: Agent, version: str, httpserver: HTTPServer) -> None:
    heard(httpserver)
    ask("/speak")
    server, client = agent.span("http.server.request"), agent.span("http.client.request")
    for span, kind, kept in ((server, "server", "web"), (client, "client", "http")):
        said = span.attributes
        assert (span.env, said["version"], said["span.kind"], span.type) == ("meshproof", version, kind, kept)
        assert (said["http.method"], said["http.status_code"]) == ("GET", "200")
    assert server.attributes["http.route"] == "/speak"
    speech = agent.span("speech.synthesize").attributes
    assert speech["speech.text_length"] == len("There are no books.")
    assert speech["speech.audio_seconds"] == pytest.approx(0.1, rel=0.01)
    assert re.fullmatch(r"speech-[0-9a-f]{16}\.wav", str(agent.span("audio.store").attributes["audio.name"]))


@pytest.mark.parametrize(
    ("path", "resource", "error"),
    [
        ("/audio/speech-0000000000000000.wav", "GET /audio/{name}", False),
        ("/no/such/path", "GET 404", False),
        ("/speak", "GET /speak", True),
    ],
)
def test_failures_are_errors_and_paths_are_no_resources(
    ask: Ask, agent: Agent, httpserver: HTTPServer, path: str, resource: str, error: bool
) -> None:
    httpserver.expect_request("/books").respond_with_data("no", 503)
    answer = ask(path)
    span = agent.span("http.server.request")
    assert (span.resource, span.error) == (resource, error)
    assert span.attributes["http.status_code"] == str(answer.status_code)
    assert not error or agent.span("http.client.request").error


def test_failed_speech_is_an_error(ask: Ask, agent: Agent, httpserver: HTTPServer, tmp_path: Path) -> None:
    heard(httpserver)
    fake_speaker(tmp_path, "exit 3")
    assert ask("/speak").status_code == 500
    span = agent.span("speech.synthesize")
    assert span.error and span.attributes["error.message"]


def test_probes_are_not_traced(ask: Ask, agent: Agent) -> None:
    ask("/healthz")
    assert agent.spans() == []


def test_call_carries_its_own_span(ask: Ask, agent: Agent, httpserver: HTTPServer) -> None:
    seen = heard(httpserver)
    ask("/speak", SIDECAR)
    parent = int(agent.span("http.client.request").span_id)
    assert seen[0]["x-datadog-trace-id"] == SIDECAR["x-datadog-trace-id"]
    assert seen[0]["x-datadog-parent-id"] == str(parent)
    assert seen[0]["traceparent"] == f"00-{TRACE}-{parent:016x}-01"
    assert (seen[0]["x-datadog-sampling-priority"], seen[0]["x-datadog-origin"]) == ("1", "synthetics")
    assert seen[0]["x-request-id"] == "abc"


def test_trace_breaks_without_propagation(ask: Ask, agent: Agent, httpserver: HTTPServer) -> None:
    seen = heard(httpserver)
    ask("/speak", SIDECAR, DD_TRACE_PROPAGATION_STYLE="none")
    span = agent.span("http.server.request")
    assert span.trace_id != TRACE and int(span.parent_id or "0") == 0
    assert not [name for name in seen[0] if name.startswith(("x-datadog-", "trace"))]
    assert seen[0]["x-request-id"] == "abc"


@pytest.mark.parametrize("changes", [{"DD_TRACE_ENABLED": "false"}, {"DD_AGENT_HOST": ""}])
def test_without_a_tracer_the_sidecars_trace_is_handed_on(
    ask: Ask, agent: Agent, httpserver: HTTPServer, changes: dict[str, str]
) -> None:
    seen = heard(httpserver)
    answer = ask("/speak", SIDECAR, **changes)
    assert SIDECAR.items() <= seen[0].items()
    assert agent.spans() == []
    assert not [line for line in answer.extensions["log"] if "dd.trace_id" in line]


@pytest.mark.parametrize("path", ["/speak", "/no/such/path"])
def test_log_line_names_its_span(ask: Ask, agent: Agent, version: str, httpserver: HTTPServer, path: str) -> None:
    heard(httpserver)
    answer = ask(path, SIDECAR)
    (line,) = [line for line in answer.extensions["log"] if "http.method" in line]
    assert (line["dd.trace_id"], line["dd.span_id"]) == (TRACE, agent.span("http.server.request").span_id)
    assert (line["dd.service"], line["dd.env"], line["dd.version"]) == ("text-to-speech", "meshproof", version)
    assert (line["service"], line["version"]) == (line["dd.service"], line["dd.version"])


@pytest.mark.parametrize("listening", [False, True])
def test_agent_that_takes_nothing_is_no_failure(
    command: Command, tmp_path: Path, given: dict[str, str], httpserver: HTTPServer, listening: bool
) -> None:
    heard(httpserver)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = str(mute.getsockname()[1])
        if not listening:
            mute.close()
        with running(command, tmp_path, **given | {"DD_TRACE_AGENT_PORT": port}) as app:
            for _ in range(20):
                assert httpx.get(f"{app.url}/speak").status_code == 200
            app.stop()
            assert app.exit_code() == 0
            lines = app.lines()
    assert [line for line in lines if line["level"] == "error"] == []
    assert len([line for line in lines if line["level"] == "warn"]) < 5


def test_complaints_of_the_canarys_tracer_are_warnings_in_json(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = str(closed.getsockname()[1])
    given = environment("text-to-speech-canary") | {"AUDIO_DIR": str(tmp_path / "audio"), "DD_TRACE_AGENT_PORT": port}
    with running(CANARY, tmp_path, **given) as app:
        httpx.get(app.url)

        def complaint() -> dict[str, Any] | None:
            return next((line for line in app.lines() if line["message"].startswith("failed to send")), None)

        found = eventually(complaint, timeout=30, what="the tracer says that it cannot send")
    assert found["level"] == "warn"


def test_profiles_are_sent(
    command: Command, tmp_path: Path, given: dict[str, str], version: str, httpserver: HTTPServer
) -> None:
    sent: list[str] = []

    def take(request: Request) -> Response:
        sent.append(request.files["event"].read().decode())
        return Response("{}")

    httpserver.expect_request("/profiling/v1/input").respond_with_handler(take)
    httpserver.expect_request("/v0.4/traces").respond_with_json({})
    settings = {
        "DD_TRACE_AGENT_PORT": str(httpserver.port),
        "DD_PROFILING_ENABLED": environment(DEPLOYMENT[version])["DD_PROFILING_ENABLED"],
        "DD_PROFILING_UPLOAD_INTERVAL": "1",
        "PROFILING_PERIOD_SECONDS": "1",
    }
    with running(command, tmp_path, **given | settings):
        eventually(lambda: sent, timeout=20, what="a profile comes")
    assert "service:text-to-speech" in sent[0] and f"version:{version}" in sent[0]


@pytest.mark.parametrize("name", ["goapi", "alpine"])
def test_the_other_apps_are_traced_too(
    compiled: Callable[[str], Command], tmp_path: Path, agent: Agent, name: str
) -> None:
    more = {"DRAIN_SECONDS": "0", "DD_PROFILING_ENABLED": "false", "DD_TRACE_AGENT_PORT": str(agent.port)}
    with running(compiled(name), tmp_path, **environment(name) | more) as app:
        httpx.get(f"{app.url}/books/7", headers=SIDECAR)
        app.stop()
        assert app.exit_code() == 0
        (line,) = [line for line in app.lines() if "http.method" in line]
    span = agent.span("http.server.request", name)
    assert (span.trace_id, span.resource) == (TRACE, {"goapi": "GET /books/:id", "alpine": "GET /*"}[name])
    version = container(name)["image"].rpartition(":")[2]
    assert (line["version"], line["dd.version"], span.attributes["version"]) == (version, version, version)
