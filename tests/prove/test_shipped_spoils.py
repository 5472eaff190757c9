"""The spoils of the shipped mutants against a real intake: the suites' own checks notice them, each for its reason."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from meshproof.files import data_root, fixtures_folder
from meshproof.intake.backend import Backend, LogLine, Span
from meshproof.intake.client import IntakeControl
from meshproof.intake.server import IntakeSettings, running
from meshproof.observability.collected import container_of
from meshproof.observability.durations import outlasting
from meshproof.observability.facts import wrong_status
from meshproof.observability.ledger import Expectation, reconcile, tag_of
from meshproof.observability.sentinels import Stream
from meshproof.observability.traces import Trace, twice
from meshproof.prove.mutants import load_mutants
from meshproof.report.evidence import Evidence

KEY = "0123456789abcdef0123456789abcdef"
SHIPPED = {mutant.name: mutant for mutant in load_mutants(fixtures_folder() / "mutants")}
RUN = "mp0123456789abcd"


def suite(name: str) -> ModuleType:
    """A module of the suites."""
    spec = importlib.util.spec_from_file_location(f"suites_{name}", data_root() / "suites" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@dataclass
class Near:
    """An intake as the suites ask it: what was sent is there, so nothing is waited for."""

    backend: Backend
    control: IntakeControl
    http: Callable[[str, Any], None]
    since: datetime

    def logs(self, query: str, **_: object) -> list[LogLine]:
        return self.backend.logs(query, self.since)

    def spans(self, query: str, **_: object) -> list[Span]:
        return self.backend.spans(query, self.since)

    def spoil(self, name: str) -> None:
        """Switch on the spoils of a shipped mutant."""
        spoils = [spoil for step in SHIPPED[name].steps for spoil in step.spoils or ()]
        self.control.spoil(*(spoil.model_dump() for spoil in spoils))


@pytest.fixture
def near(tmp_path: Path) -> Iterator[Near]:
    with running(IntakeSettings(folder=tmp_path, port=0, key=KEY, tracers=True)) as url:
        backend, control = Backend.of_intake(url, KEY), IntakeControl(url, KEY)

        def send(path: str, content: Any) -> None:
            control._asked("POST", path, json=content)

        yield Near(backend, control, send, datetime.now(UTC) - timedelta(minutes=5))
        control.close()
        backend.close()


def of(mutant: str, test: str) -> str:
    """The reason that the mutant demands of a test, or of one of its cases."""
    return next(it.because for it in SHIPPED[mutant].fails if it.test == test)


def reason(check: Callable[..., None], *words: object) -> str:
    """What a check says; "" when it holds."""
    try:
        check(*words, Evidence())
    except AssertionError as error:
        return str(error)
    return ""


def line(message: str, **changes: Any) -> dict[str, Any]:
    plain = {"status": "info", "hostname": "n", "service": "writer", "ddsource": "writer"}
    return {"message": message, "timestamp": int(time.time() * 1000), **plain, **changes}


# --- logs-garbled


@pytest.fixture
def delivery() -> ModuleType:
    return suite("test_log_delivery")


def written(delivery: ModuleType) -> tuple[dict[str, list[str]], list[str]]:
    """The lines of each stream, and the stack trace, as the suite writes them."""
    streams = {
        "long": Stream(RUN, "long").lines(1, 10, delivery.LONG),
        "world": Stream(RUN, "world").lines(1, 10, delivery.WORLD),
        "apart": Stream(RUN, "apart").lines(1, 5),
        "rotated": Stream(RUN, "rotated").lines(1, 30),
    }
    head = f"Exception in thread main {RUN}stack"
    return streams, [head, *(f"at dev.meshproof.Books.line{n}(Books.java:{n}) {RUN}stack" for n in range(8))]


def delivered(near: Near, delivery: ModuleType) -> Any:
    """What the suite's fixture would have found."""
    streams, stack = written(delivery)
    expected = [Expectation(name, range(1, len(lines) + 1)) for name, lines in streams.items()]
    lines = {
        "all": near.logs(RUN),
        "of the pod": near.logs("pod_name:shapes"),
        "stack": near.logs(f"{RUN}stack"),
        "joined": near.logs(f"{RUN}joined"),
    }
    ledger = reconcile(RUN, [*expected, Expectation("json", (1,))], lines["all"])
    return delivery.Delivered(ledger, lines, stack, [], {})


def send_lines(near: Near, delivery: ModuleType) -> None:
    streams, stack = written(delivery)
    shapes = [message for messages in streams.values() for message in messages] + stack
    document = {"message": Stream(RUN, "json").line(1), "level": "error", "user": {"id": 7, "name": "Zoë"}}
    near.http("/api/v2/logs", [line(message, ddtags="pod_name:shapes") for message in shapes])
    near.http("/api/v2/logs", [line(json.dumps(document, ensure_ascii=False), ddtags="pod_name:shapes")])
    first, second = f"2026-11-21 ERROR first {RUN}joined\\n\tat one\\n\tat two", f"2026-11-21 INFO second {RUN}joined"
    near.http("/api/v2/logs", [line(text, service="joined", ddsource="java") for text in (first, second)])


DELIVERY = [it.test.partition("::")[2] for it in SHIPPED["logs-garbled"].fails if "test_log_delivery" in it.test]


def test_garbled_lines_are_noticed_each_for_its_reason(near: Near, delivery: ModuleType) -> None:
    send_lines(near, delivery)
    whole = delivered(near, delivery)
    assert {name: reason(getattr(delivery, name), whole) for name in DELIVERY} == dict.fromkeys(DELIVERY, "")
    near.spoil("logs-garbled")
    garbled = delivered(near, delivery)
    for name in DELIVERY:
        said = reason(getattr(delivery, name), garbled)
        assert re.search(of("logs-garbled", f"test_log_delivery.py::{name}"), said, re.DOTALL), f"{name}: {said[:300]}"


def test_a_line_that_is_found_twice_is_noticed_by_the_questions_that_find_it(near: Near) -> None:
    search = suite("test_log_search")
    statuses = [200, 200, 200, 404, 400, 400, 404, 404, 405, 200, 200]
    sent = [
        search.Sent(
            number,
            "goapi" if number < 9 else "alpine",
            ("GET", "GET", "HEAD", "GET", "GET", "POST", "PUT", "DELETE", "PATCH", "GET", "POST")[number],
            f"http://h/books{'/4000000000' if status == 404 else ''}?mark={RUN}x{number}",
            status,
        )
        for number, status in enumerate(statuses)
    ]
    for it in sent:
        fields = {"http.url": it.url, "http.status_code": it.status, "http.method": it.method, "level": it.level}
        near.http("/api/v2/logs", [line(json.dumps(fields), service=it.service, ddtags="env:meshproof")])
    mix = search.Mix(RUN, sent)
    asked = {
        f"test_a_search_gives_exactly_the_right_lines[{question}]": (
            search.test_a_search_gives_exactly_the_right_lines,
            (mix, near, question),
        )
        for question in search.QUESTIONS
    } | {"test_a_whole_url_finds_its_own_line": (search.test_a_whole_url_finds_its_own_line, (mix, near))}
    assert {name: reason(check, *words) for name, (check, words) in asked.items()} == dict.fromkeys(asked, "")
    near.spoil("logs-garbled")
    said = {f"test_log_search.py::{name}": reason(check, *words) for name, (check, words) in asked.items()}
    wanted = {it.test: it.because for it in SHIPPED["logs-garbled"].fails if "test_log_search" in it.test}
    assert {name for name, why in said.items() if why} == wanted.keys(), "no other question fails"
    assert all(re.search(because, said[name]) for name, because in wanted.items()), said


def test_a_line_that_waited_for_the_backend_is_found_twice(near: Near) -> None:
    stream = Stream(RUN, "hindered")
    near.http("/api/v2/logs", [line(text) for text in stream.lines(1, 51)])
    near.spoil("logs-garbled")
    ledger = reconcile(RUN, [Expectation("hindered", range(1, 52))], near.logs(stream.phrase()))
    name = "test_log_interruptions.py::test_a_backend_that_fails_for_a_while_loses_and_doubles_nothing"
    assert re.search(of("logs-garbled", name), "; ".join(ledger.faults))


# --- logs-mixed-up


def test_a_line_looks_like_one_of_an_excluded_container(near: Near) -> None:
    tags = "kube_namespace:meshproof-logs,pod_name:log-sentinel-0,container_name:writer"
    near.http("/api/v2/logs", [line(text, ddtags=tags) for text in Stream(RUN, "sentinel-0").lines(1, 6)])
    near.spoil("logs-mixed-up")
    found = [container_of(it) for it in near.logs(RUN)]
    own, others = ("meshproof-logs", "log-sentinel-0", "writer"), ("kube-system", "log-kube-system", "writer")
    assert found == [own, others, own, own, own, own]


@pytest.mark.parametrize(("source", "shown"), [("proxyv2", "envoy"), ("istio", "envoy"), ("goapi", "goapi")])
def test_the_sources_of_the_meshs_own_lines_are_others(near: Near, source: str, shown: str) -> None:
    near.http("/api/v2/logs", [line(RUN, ddsource=source)])
    near.spoil("logs-mixed-up")
    assert [tag_of(it, "source") for it in near.logs(RUN)] == [shown]


# --- spans


def send_spans(near: Near, *spans: dict[str, Any]) -> None:
    start = time.time_ns()
    near.control._client.post("/v0.4/traces", content=msgpack.packb([[{"start": start, **it} for it in spans]]))


def a_span(number: int, service: str, name: str, status: str) -> dict[str, Any]:
    names = {"service": service, "name": name, "resource": "r", "type": "web"}
    ids = {"trace_id": 7, "span_id": number, "parent_id": number - 1}
    return {**names, **ids, "duration": 5_000_000, "error": int(status >= "500"), "meta": {"http.status_code": status}}


def test_garbled_spans_are_noticed_each_for_its_reason(near: Near) -> None:
    send_spans(
        near,
        a_span(1, "text-to-speech.apps", "envoy.proxy", "503"),
        a_span(2, "goapi", "http.server.request", "200"),
        a_span(3, "goapi", "http.server.request", "405"),
    )

    def findings() -> tuple[list[str], list[str], str | None]:
        spans: Sequence[Span] = sorted(near.spans("trace_id:7"), key=lambda it: it.span_id)
        return outlasting(Trace(7, tuple(spans)), 0.01), twice(spans), wrong_status(spans[0], 503)

    assert findings() == ([], [], None)
    near.spoil("traces-garbled")
    late, doubled, status = findings()
    assert len(late) == 4, "all of them are longer, and one is there twice"
    assert re.search(of("traces-garbled", "test_traces.py::test_durations_fit_into_each_other"), late[0])
    assert [text.partition(" (")[0] for text in doubled] == ["goapi http.server.request"], "not the one with 405"
    assert status == "200, not 503"


def test_proxies_of_goapi_seem_to_send_other_spans(near: Near) -> None:
    send_spans(near, a_span(1, "goapi.apps", "envoy.proxy", "200"), a_span(2, "alpine.apps", "envoy.proxy", "200"))
    near.spoil("logs-mixed-up")
    assert {it.service: it.name for it in near.spans("trace_id:7")} == {
        "goapi.apps": "somebody.else",
        "alpine.apps": "envoy.proxy",
    }


# --- figures and inventory


@pytest.mark.parametrize(
    ("mutant", "metric", "shown"),
    [
        ("traces-garbled", "trace.envoy.proxy.errors", []),
        ("traces-garbled", "trace.envoy.proxy.hits", [5.0]),
        ("services-inventory-wrong", "kubernetes.pods.running", [105.0]),
        ("services-inventory-wrong", "kubernetes.containers.running", [105.0]),
        ("services-inventory-wrong", "kubernetes.cpu.usage.total", [5.0]),
    ],
)
def test_figures_are_others(near: Near, mutant: str, metric: str, shown: list[float]) -> None:
    now = int(time.time()) // 60 * 60
    near.http("/api/v1/series", {"series": [{"metric": metric, "points": [[now, 5]], "type": "gauge", "host": "h"}]})
    near.spoil(mutant)
    assert [
        value for series in near.backend.metrics(f"sum:{metric}{{*}}", near.since) for _, value in series.points
    ] == (shown)


def test_hosts_are_no_longer_told(near: Near) -> None:
    near.http("/api/v1/metadata", {"hostname": "n", "uuid": "u"})
    assert [it["host"] for it in near.control.documents("kind:metadata")] == ["n"]
    near.spoil("services-inventory-wrong")
    assert near.control.documents("kind:metadata") == []
