"""Datadog's list of services: all of them are on it, with as many requests and errors as the client made, and latencies
that are those of their spans.

What is counted is told from all other traffic by statuses that no other check provokes: 405, and a failure of 507.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from meshproof.datadog import Datadog
from meshproof.errors import InvalidMeasurement
from meshproof.intake.backend import Span
from meshproof.mesh import APPS, Mesh
from meshproof.observability.marks import Batch
from meshproof.observability.services import (
    FIGURES_TOLERANCE,
    QUANTILES,
    Count,
    Figures,
    Window,
    counted,
    figures_of,
    wrong_counts,
    wrong_quantiles,
)
from meshproof.observability.staging import failing_goapi, failing_request_id
from meshproof.probe import Answered, Outcome
from meshproof.report.evidence import Evidence, ParityRow
from meshproof.waiting import StateNotReached, eventually

GOAPI, SPEECH = "http://goapi.apps.svc.cluster.local/books", "http://text-to-speech.apps.svc.cluster.local"
EACH, FAILING = 30, 5
# Since the apps' tracers name spans by the attribute schema v1; Envoy's have one name.
PROXY, APP = "envoy.proxy", "http.server.request"
SERVICES = (
    *("istio-ingressgateway.istio-system", "alpine.apps", "goapi.apps", "text-to-speech.apps"),
    *("goapi", "text-to-speech"),
)
# Half of the requests with 405 come through the gateway and half from alpine, to each of the two apps.
PROMISED = {
    Count("istio-ingressgateway.istio-system", PROXY, 405): (2 * EACH, 0),
    Count("alpine.apps", PROXY, 405): (2 * EACH, 0),
    Count("goapi.apps", PROXY, 405): (2 * EACH, 0),
    Count("text-to-speech.apps", PROXY, 405): (2 * EACH, 0),
    Count("goapi", APP, 405): (2 * EACH, 0),
    Count("text-to-speech", APP, 405): (2 * EACH, 0),
    Count("text-to-speech.apps", PROXY, 507): (FAILING, FAILING),
}
each_count = pytest.mark.parametrize("count", PROMISED, ids=str)


@dataclass(frozen=True)
class Made:
    """What was sent, when, and the spans of it."""

    window: Window
    spans: tuple[Span, ...]

    def of(self, count: Count) -> list[Span]:
        """The spans that the agent counts for this: of a gateway's two, the first."""
        found = [it for it in self.spans if (it.service, it.name) == (count.service, count.operation)]
        ids = {span.span_id for span in found}
        status = str(count.status)
        return [it for it in found if str(it.attributes.get("http.status_code")) == status and it.parent_id not in ids]


@pytest.fixture(scope="session")
def made(mesh: Mesh, datadog: Datadog) -> Made:
    """Requests with unusual ends, and their spans. It waits for the spans alone; figures come later, so other suites
    are run in between.

    Raises InvalidMeasurement when somebody else made such requests in the same ten seconds.
    """
    batch = Batch()
    callers = [mesh.proxy(pod) for pod in mesh.pods(APPS) if pod.labels.get("app") == "text-to-speech"]
    wrong = [
        replace(request, method=method)
        for url, method in ((GOAPI, "PATCH"), (f"{SPEECH}/", "DELETE"))
        for request in batch.requests(url, 2 * EACH)
    ]
    failing = [
        replace(request, request_id=failing_request_id(number))
        for number, request in enumerate(batch.requests(f"{SPEECH}/speak", FAILING))
    ]
    began = time.time()
    outcomes: list[Outcome] = [
        *mesh.through_gateway(*wrong[::2]),
        *mesh.inside.send_all(wrong[1::2], parallel=2),
    ]
    expect(outcomes, 405)
    with failing_goapi(mesh.cluster, callers, status=507):
        expect(mesh.inside.send_all(failing), 502)
    window = Window.around(began, time.time())
    numbers = {count: hits for count, (hits, _) in PROMISED.items()}
    spans = datadog.spans(
        f"operation_name:({PROXY} OR {APP}) @http.status_code:(405 OR 507)",
        until=lambda spans: all(len(Made(window, within(spans, window)).of(it)) >= n for it, n in numbers.items()),
        what="the spans of these requests are found",
    )
    made = Made(window, within(spans, window))
    more = {str(it): len(made.of(it)) for it, number in numbers.items() if len(made.of(it)) > number}
    if more:
        raise InvalidMeasurement("others made requests like these at the same time", seen=more)
    return made


@pytest.fixture(scope="module")
def figures(datadog: Datadog, made: Made) -> Mapping[Count, Figures]:
    """What the backend has counted: when it is all that is expected, or else when the time for it is over."""
    found: dict[Count, Figures] = {}

    def complete() -> bool:
        found.update({count: counted(datadog.backend, count, made.window) for count in PROMISED})
        return all(found[count].hits >= hits for count, (hits, _) in PROMISED.items())

    try:
        eventually(
            complete,
            timeout=datadog.mesh.timeouts.counted,  # Go tracers count by themselves, and the agent counts those again
            what="the figures of the last requests are there",
            every=max(1.0, datadog.backend.poll_seconds),
        )
    except StateNotReached as error:
        if not found:
            raise InvalidMeasurement(error.problem, seen=error.seen) from error
    return found


def expect(outcomes: list[Outcome], status: int) -> None:
    others = [str(it) for it in outcomes if not isinstance(it, Answered) or it.status != status]
    if others:
        raise InvalidMeasurement(f"{len(others)} requests were not answered {status}", seen=others[:3])


def within(spans: list[Span], window: Window) -> tuple[Span, ...]:
    """The spans that end in the window."""
    return tuple(it for it in spans if window.start <= (it.start + it.duration) / 1e9 < window.end)


def test_every_service_is_on_the_list(made: Made, datadog: Datadog, evidence: Evidence) -> None:
    """The gateway, the sidecars by their apps, and the apps themselves are services at Datadog."""
    listed = {span.service for span in made.spans}
    missing = sorted(set(SERVICES) - listed)
    if missing:  # not only those that were asked just now
        listed |= {
            span.service
            for span in datadog.backend.spans(" OR ".join(f"service:{it}" for it in missing), datadog.since)
        }
    evidence.add("services", listed)
    assert set(SERVICES) <= listed, f"not on the list: {sorted(set(SERVICES) - listed)}; on it: {sorted(listed)}"


@each_count
def test_requests_and_errors_are_counted(
    made: Made, figures: Mapping[Count, Figures], count: Count, evidence: Evidence
) -> None:
    """A service has exactly the requests and the errors that the client made."""
    sent, failed = PROMISED[count]
    rows = [("requests", sent, figures[count].hits), ("errors", failed, figures[count].errors)]
    evidence.parity(
        str(count),
        [ParityRow(what, ours, theirs, 0, ours == theirs) for what, ours, theirs in rows],
        ours="sent",
        theirs="counted",
    )
    evidence.add("counted in the buckets from", made.window)
    findings = wrong_counts(count, sent, failed, figures[count])
    assert not findings, "; ".join(findings)


@each_count
def test_latencies_are_those_of_the_spans(
    made: Made, figures: Mapping[Count, Figures], count: Count, evidence: Evidence
) -> None:
    """p50 and p99 of a service are those of the durations of its spans, within the error of the agent's sketch."""
    spans = made.of(count)
    if len(spans) != figures[count].hits:
        seen = f"{len(spans)} spans, {figures[count].hits:g} requests"
        raise InvalidMeasurement("not the same requests have spans and figures", seen=seen)
    own = figures_of(spans)
    rows = [
        ParityRow(f"p{share * 100:g}", ours * 1e3, theirs * 1e3, FIGURES_TOLERANCE, unit="ms")
        for share, ours, theirs in zip(QUANTILES, own.quantiles, figures[count].quantiles, strict=True)
        if ours is not None and theirs is not None
    ]
    evidence.parity(str(count), rows, ours="spans", theirs="figures")
    findings = wrong_quantiles(count, spans, figures[count])
    assert not findings, "; ".join(findings)


@pytest.mark.parametrize(("service", "version"), [("goapi", None), ("text-to-speech", "v1"), ("text-to-speech", "v2")])
def test_profiles_arrive(datadog: Datadog, service: str, version: str | None, evidence: Evidence) -> None:
    """The apps' profilers send profiles of goapi and of both versions of text-to-speech."""
    if datadog.intake is None:
        pytest.skip("Datadog's public API does not show profiles")
    intake = datadog.intake
    query = f"kind:profile name:{service}" + (f" version:{version}" if version else "")
    found = eventually(
        lambda: intake.documents(query, datadog.since, limit=1),
        timeout=datadog.mesh.timeouts.profile,
        what=f"a profile of {service} {version or ''} arrives".replace("  ", " "),
        every=1.0,
    )
    evidence.add("profile", {"received": found[0]["received"], "tags": found[0]["tags"]})
