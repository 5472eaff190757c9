"""The other half of exclusion: once it is lifted, the mesh's own logs arrive, under their sources and parsed.

Without this, "no line of a sidecar arrived" could mean that none ever would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from meshproof.datadog import Datadog
from meshproof.errors import InvalidMeasurement
from meshproof.intake.backend import LogLine
from meshproof.manifests import Manifest
from meshproof.mesh import APPS, OUTSIDE, Mesh
from meshproof.observability.agent_settings import daemon_set, environment, value_of
from meshproof.observability.collected import container_of, speaks_of
from meshproof.observability.filters import Key
from meshproof.observability.ledger import tag_of
from meshproof.observability.sentinels import new_run
from meshproof.probe import Answered, Request
from meshproof.probe.inventory import Pod
from meshproof.report.evidence import Evidence
from meshproof.waiting import StateNotReached, eventually

pytestmark = [
    pytest.mark.restarts,  # of the agents, for their other settings
    pytest.mark.looks_at("agents", "addresses", "gateway", "goapi"),
    pytest.mark.changes("agents"),
]

EXCLUSIONS = "DD_CONTAINER_EXCLUDE_LOGS"
LIFTED = ("proxyv2", "istio-system")
BOOKS = "http://goapi.apps.svc.cluster.local/books"
# By the categories of the pipeline.
STATUS_WORDS = {200: "ok", 404: "warn", 400: "warn"}
PUSH: Manifest = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "something-to-push", "namespace": OUTSIDE},
    "spec": {"ports": [{"name": "http", "port": 80}]},
}


@dataclass(frozen=True)
class Lifted:
    """Requests through the gateway while nothing of the mesh was excluded, and the lines about them."""

    sent: Sequence[tuple[Request, Answered]]
    lines: Sequence[LogLine]
    istiod: Sequence[LogLine]
    gateway: Pod

    def of(self, container: Key, request: Request) -> list[LogLine]:
        """A container's lines about one of the requests."""
        word = request.path.partition("mark=")[2]
        return [line for line in self.lines if container_of(line) == container and speaks_of(line, word)]


@pytest.fixture(scope="module")
def lifted(mesh: Mesh, datadog: Datadog) -> Iterator[Lifted]:
    """Agents that exclude neither proxies nor istio-system, for all tests here; afterwards as before."""
    listed = (value_of(daemon_set(mesh.cluster), EXCLUSIONS) or "").split()
    kept = [entry for entry in listed if not any(word in entry for word in LIFTED)]
    if len(kept) == len(listed):
        raise InvalidMeasurement(f"{EXCLUSIONS} names neither the proxies nor istio-system", seen=" ".join(listed))
    gateway, istiod = mesh.gateway_pod, mesh.a_pod("istio-system", "istiod")
    with ExitStack() as stack:
        stack.enter_context(called_istio(mesh, gateway, "istio-proxy"))
        stack.enter_context(called_istio(mesh, istiod, "discovery"))
        stack.enter_context(environment(mesh.cluster, EXCLUSIONS, " ".join(kept)))
        yield measure(mesh, datadog, gateway)


@contextmanager
def called_istio(mesh: Mesh, pod: Pod, container: str) -> Iterator[None]:
    """The pod with the annotation that names the source of its logs; agents read it when they start to follow them."""
    name = f"ad.datadoghq.com/{container}.logs"
    text = json.dumps([{"source": "istio", "service": pod.labels.get("app", container)}])
    before = pod.annotations.get(name)
    mesh.cluster.patch("Pod", pod.name, {"metadata": {"annotations": {name: text}}}, pod.namespace, "v1")
    try:
        yield
    finally:
        mesh.cluster.patch("Pod", pod.name, {"metadata": {"annotations": {name: before}}}, pod.namespace, "v1")


def measure(mesh: Mesh, datadog: Datadog, gateway: Pod) -> Lifted:
    """Requests with different ends, once the gateway's log is known to be followed."""
    run, began = new_run(), datetime.now(UTC)
    warm = f"{run}warm"

    def followed() -> bool:
        mesh.through_gateway(Request(f"{BOOKS}?mark={warm}"))
        return bool(datadog.backend.logs(warm, began))

    requests = [
        Request(f"{BOOKS}?mark={run}x1"),
        Request(f"{BOOKS}/4000000000?mark={run}x2"),
        Request(f"{BOOKS}?mark={run}x3", method="POST", body=b"{", headers={"content-type": "application/json"}),
    ]
    try:
        # Agents that follow a proxy's log anew have all to read that it has told before.
        eventually(followed, timeout=3 * datadog.deadline, what="the mesh's own logs are followed", every=1.0)
    except StateNotReached:  # it is the checks' part to say that nothing came
        return Lifted([*zip(requests, mesh.through_gateway(*requests), strict=True)], [], [], gateway)
    answers = mesh.through_gateway(*requests)
    words = [f"{run}x{number}" for number in (1, 2, 3)]
    lines: list[LogLine] = []
    with mesh.temporary([PUSH]):  # istiod tells in its log that it has pushed something
        for word in words:  # the gateway's line, the sidecar's and the app's
            what = f"the lines about {word} arrive"
            lines += datadog.logs(f"({word} OR @http.url:*{word})", until=lambda found: len(found) >= 3, what=what)
        istiod = datadog.logs(
            "kube_namespace:istio-system container_name:discovery", until=lambda found: found, what="istiod's lines"
        )
    return Lifted([*zip(requests, answers, strict=True)], lines, istiod, gateway)


def check_parsed(line: LogLine, request: Request, answer: Answered) -> None:
    """The line tells what the request was, under Datadog's names."""
    found = line.attributes
    shown = {name: found.get(name) for name in ("http.status_code", "http.method", "http.url", "duration")}
    assert found.get("http.status_code") == answer.status, f"@http.status_code is not {answer.status}: {shown}"
    assert found.get("http.method") == request.method, f"@http.method is not {request.method}: {shown}"
    assert request.path in str(found.get("http.url")), f"@http.url has not {request.path}: {shown}"
    duration = found.get("duration")
    # Envoy counts whole milliseconds; in Datadog a duration is in nanoseconds.
    assert isinstance(duration, float) and duration % 1e6 == 0 and duration < 60e9, f"@duration is no time: {shown}"
    assert line.status == STATUS_WORDS[answer.status], f"the status of a {answer.status} is {line.status}"


def test_sidecar_lines_arrive_as_proxyv2_and_parsed(lifted: Lifted, evidence: Evidence) -> None:
    """Of each request there is one line of goapi's sidecar, with source proxyv2, method, URL, status and time."""
    for request, answer in lifted.sent:
        found = lifted.of((APPS, answer.headers["x-served-by"], "istio-proxy"), request)
        evidence.add(f"{request.method} {answer.status}", found)
        assert len(found) == 1, f"{len(found)} lines of the sidecar about {request.path}, not 1"
        assert tag_of(found[0], "source") == "proxyv2", f"the source is {tag_of(found[0], 'source')}"
        check_parsed(found[0], request, answer)


def test_gateway_lines_arrive_as_istio_and_parsed(lifted: Lifted, evidence: Evidence) -> None:
    """Of each request there is one line of the gateway, with source istio, method, URL, status and time."""
    for request, answer in lifted.sent:
        found = lifted.of(("istio-system", lifted.gateway.name, "istio-proxy"), request)
        evidence.add(f"{request.method} {answer.status}", found)
        assert len(found) == 1, f"{len(found)} lines of the gateway about {request.path}, not 1"
        assert tag_of(found[0], "source") == "istio", f"the source is {tag_of(found[0], 'source')}"
        check_parsed(found[0], request, answer)


def test_istiod_lines_arrive_as_istio(lifted: Lifted, evidence: Evidence) -> None:
    """istiod's own lines arrive, from source istio."""
    evidence.add("the last lines", [*lifted.istiod][-5:])
    assert lifted.istiod, "no line of istiod arrived"
    sources = {tag_of(line, "source") for line in lifted.istiod}
    assert sources == {"istio"}, f"their sources are {sources}"
