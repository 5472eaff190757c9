"""Every request through the mesh arrives at Datadog as one whole trace that tells the truth about it.

One batch of requests serves all checks: half of it through the gateway, half from a pod in the mesh, each to
text-to-speech, which asks goapi.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest

from meshproof.datadog import ENV, Datadog
from meshproof.errors import InvalidMeasurement
from meshproof.intake.backend import LogLine, any_of
from meshproof.mesh import APPS, Mesh
from meshproof.observability.arrivals import Arrivals, arrivals
from meshproof.observability.durations import LENIENCE, misplaced, outlasting
from meshproof.observability.facts import named_version, subset, wrong_environment, wrong_resource, wrong_status
from meshproof.observability.flame import flame_graph
from meshproof.observability.hops import Stop, app_spans_missing, hops, pairs_missing, told
from meshproof.observability.marks import Batch, first_seen
from meshproof.observability.sampling import Tracing, tracings
from meshproof.observability.staging import failing_goapi, failing_request_id
from meshproof.observability.traces import Trace, described, missing_parts, trace_key, trace_query, twice
from meshproof.probe import Answered, Outcome
from meshproof.report.evidence import Evidence
from meshproof.settings import TracingChoice

pytestmark = [
    pytest.mark.looks_at("agents", "addresses", "gateway", "goapi", "speech", "client"),
    pytest.mark.changes("goapi"),  # for requests of a kind
]

SPEAK = "http://text-to-speech.apps.svc.cluster.local/speak"
AGENT = "outbound|8126||datadog-agent.datadog.svc.cluster.local"
FROM_THE_MESH = [Stop.sidecar("alpine", traced=False), Stop.sidecar("text-to-speech"), Stop.sidecar("goapi")]
EACH = 20
"""Requests from each of the two places."""
FAILED = 4


@dataclass(frozen=True)
class Sent:
    """A batch: the answers and the ways by mark, in the order of sending, and the traces that were found. `failed` are
    requests of another batch, which were to fail."""

    answers: Mapping[str, Answered]
    ways: Mapping[str, list[Stop]]
    answered: float
    arrived: Arrivals
    failed: Future[tuple[Batch, list[Outcome]]]


def fail_some(mesh: Mesh) -> tuple[Batch, list[Outcome]]:
    """Requests for which text-to-speech's own proxy answers 503 when it asks goapi."""
    batch = Batch()
    callers = [mesh.proxy(pod) for pod in mesh.pods(APPS) if pod.labels.get("app") == "text-to-speech"]
    requests = [
        replace(request, request_id=failing_request_id(number))
        for number, request in enumerate(batch.requests(SPEAK, FAILED))
    ]
    with failing_goapi(mesh.cluster, callers):
        return batch, mesh.inside.send_all(requests)


@pytest.fixture(scope="module")
def sent(mesh: Mesh, datadog: Datadog) -> Sent:
    """The batch, answered and found, as far as it was found until the deadline."""
    mesh.in_force()
    batch = Batch()
    marks, requests = batch.marks(2 * EACH), batch.requests(SPEAK, 2 * EACH)
    outcomes: list[Outcome] = [
        *mesh.through_gateway(*requests[:EACH], parallel=2),
        *mesh.inside.send_all(requests[EACH:], parallel=2),
    ]
    good = [outcome for outcome in outcomes if isinstance(outcome, Answered) and outcome.status == 200]
    if len(good) < len(outcomes):
        raise InvalidMeasurement("not every request was answered 200", seen=[str(o) for o in outcomes if o not in good])
    legacy = mesh.settings.tracing is TracingChoice.LEGACY
    gateway = [Stop.gateway(mesh.installed.versions["istio"], by_bootstrap=legacy), *FROM_THE_MESH[1:]]
    ways = {mark: gateway if number < EACH else FROM_THE_MESH for number, mark in enumerate(marks)}
    answered = time.monotonic()

    def whole(mark: str, trace: Trace) -> bool:
        return not (missing_parts(trace) or pairs_missing(trace, ways[mark]) or app_spans_missing(trace, ways[mark]))

    with ThreadPoolExecutor(1) as pool:  # failures are staged while the batch is on its way; its check tells of trouble
        failed = pool.submit(fail_some, mesh)
        found = arrivals(datadog, batch, marks, whole=whole)
    return Sent(dict(zip(marks, good, strict=True)), ways, answered, found, failed)


@pytest.fixture(scope="module")
def traces(sent: Sent) -> dict[str, Trace]:
    """The trace of each request that has exactly one, by mark.

    Raises InvalidMeasurement when there is none at all: then nothing can be said about what traces look like.
    """
    found = sent.arrived.one_each(sent.answers)
    if not found:
        raise InvalidMeasurement("no request has a trace that could be looked at")
    return found


def none_of(found: Mapping[str, list[str]]) -> None:
    """No trace has a finding."""
    wrong = [findings[0] for findings in found.values() if findings]
    assert not wrong, f"{len(wrong)} of {len(found)} traces: {wrong[0]}"


def test_every_proxy_is_told_to_trace_every_request(mesh: Mesh, evidence: Evidence) -> None:
    """Every sidecar and the gateway are configured to trace 100 % of the requests and to send them to the agent."""
    pods = [*(pod for pod in mesh.pods(APPS) if pod.has_proxy), mesh.gateway_pod]
    with ThreadPoolExecutor(4) as pool:
        dumps = pool.map(lambda pod: mesh.proxy(pod).config_dump("dynamic_listeners"), pods)
        found = {pod.name: tracings(dump) for pod, dump in zip(pods, dumps, strict=True)}
    evidence.add("tracing", found)
    for name, told_to in found.items():
        assert told_to, f"{name} is not told to trace anything"
        assert {it.percentage for it in told_to} == {100.0}, f"{name} is told to trace {sorted(told_to)}"
        if mesh.settings.tracing is TracingChoice.TELEMETRY:
            assert told_to == {Tracing(AGENT, 100.0)}, f"{name} is told to send traces to {sorted(told_to)}"


def test_every_request_arrives_as_one_trace(sent: Sent, evidence: Evidence) -> None:
    """Each of 40 requests, through the gateway and inside the mesh, has exactly one trace at Datadog, in time."""
    delays = first_seen(dict.fromkeys(sent.answers, sent.answered), sent.arrived.found)
    evidence.figure("requests that have a trace", 100 * len(sent.arrived.traces) / len(sent.answers), "%")
    if delays:
        evidence.figure("after the last answer, half of the traces were found", delays[len(delays) // 2], "s")
        evidence.figure("after the last answer, the last trace was found", delays[-1], "s")
    wrong = sent.arrived.unlike_one(sent.answers)
    assert not wrong, f"{len(wrong)} of {len(sent.answers)} requests have not one trace each: {', '.join(wrong[:3])}"


def test_no_trace_is_broken(sent: Sent, traces: Mapping[str, Trace], evidence: Evidence) -> None:
    """Each trace is one tree: it begins once, and every other span's parent is there."""
    drawn = set()
    for mark, trace in traces.items():
        kind = f"{sent.ways[mark][0].app} to text-to-speech {sent.answers[mark].headers.get('x-app-version')}"
        if kind not in drawn:
            drawn.add(kind)
            evidence.file(f"{kind}.svg", flame_graph(trace))
    none_of({mark: missing_parts(trace) for mark, trace in traces.items()})


def test_every_hop_is_a_pair_of_proxy_spans(sent: Sent, traces: Mapping[str, Trace], evidence: Evidence) -> None:
    """Each hop has the outgoing span of one proxy and, as its child, the receiving span of the next."""
    for mark, trace in list(traces.items())[:: max(1, len(traces) - 1)]:
        pairs = [(hop.outgoing, hop.receiving) for hop in hops(trace, sent.ways[mark])]
        evidence.table(
            f"hops of {mark}",
            ["outgoing", "receiving"],
            [["; ".join(map(described, side)) for side in p] for p in pairs],
        )
    none_of({mark: pairs_missing(trace, sent.ways[mark]) for mark, trace in traces.items()})


def test_the_apps_own_spans_stand_between(sent: Sent, traces: Mapping[str, Trace], evidence: Evidence) -> None:
    """text-to-speech's own spans stand between the two of its sidecar, and goapi's below the receiving one of its."""
    paired = {mark: trace for mark, trace in traces.items() if not pairs_missing(trace, sent.ways[mark])}
    if not paired:
        raise InvalidMeasurement("no trace has all of its proxies' spans, between which the apps' could stand")
    evidence.add("services", {span.service for trace in paired.values() for span in trace.spans})
    none_of({mark: app_spans_missing(trace, sent.ways[mark]) for mark, trace in paired.items()})


def test_spans_tell_where_a_request_went(sent: Sent, traces: Mapping[str, Trace], evidence: Evidence) -> None:
    """Each proxy's span names the next app as its resource, status and environment, and the version that answered."""
    facts = {
        "resource": wrong_resource,
        "status": lambda _, span: wrong_status(span, 200),
        "environment": lambda _, span: wrong_environment(span, ENV),
    }
    found = {}
    for mark, trace in traces.items():
        answered_by = sent.answers[mark].headers.get("x-app-version")
        found[mark] = told(trace, sent.ways[mark], facts)
        routed = {subset(span) for span in hops(trace, sent.ways[mark])[0].outgoing}
        own = {version for span in trace.spans if span.service == "text-to-speech" and (version := named_version(span))}
        for who, versions in (("the proxy's span", routed), ("text-to-speech's own span", own)):
            if versions != {answered_by}:
                found[mark].append(f"{answered_by} answered, and {who} says {sorted(versions) or 'nothing'}")
    evidence.add("resources", {f"{span.service}: {span.resource}" for trace in traces.values() for span in trace.spans})
    none_of(found)


def test_durations_fit_into_each_other(sent: Sent, traces: Mapping[str, Trace], evidence: Evidence) -> None:
    """Each span lies within its parent, and none lasts longer than the client waited for its answer."""
    evidence.add("seconds that are let pass", LENIENCE)
    none_of({mark: misplaced(it) + outlasting(it, sent.answers[mark].seconds) for mark, it in traces.items()})


def test_a_failure_is_marked_on_every_span_that_saw_it(sent: Sent, datadog: Datadog, evidence: Evidence) -> None:
    """When goapi fails, text-to-speech's outgoing span says 503, the spans before it say 502, and all are errors."""
    batch, outcomes = sent.failed.result()
    evidence.add("answers", outcomes)
    if [getattr(outcome, "status", None) for outcome in outcomes] != [502] * FAILED:
        raise InvalidMeasurement("text-to-speech did not answer 502", seen=[str(outcome) for outcome in outcomes])
    marks = batch.marks(FAILED)

    def whole(_: str, trace: Trace) -> bool:
        first, second = hops(trace, FROM_THE_MESH)
        own = any(span.service == "text-to-speech" for span in trace.spans)
        return bool(first.outgoing and first.receiving and second.outgoing and own) and not missing_parts(trace)

    found = arrivals(datadog, batch, marks, whole=whole)
    assert not found.unlike_one(marks), f"not one trace for each failed request: {'; '.join(found.unlike_one(marks))}"
    evidence.file("a failure.svg", flame_graph(found.traces[marks[0]][0]))
    wrong = {}
    for mark, trace in found.one_each(marks).items():
        first, second = hops(trace, FROM_THE_MESH)
        seen = [*((502, span) for span in (*first.outgoing, *first.receiving)), *((503, s) for s in second.outgoing)]
        wrong[mark] = missing_parts(trace) + [
            f"the status of {described(span)} is {words}" for code, span in seen if (words := wrong_status(span, code))
        ]
        if (len(seen), second.strays) != (3, ()):
            wrong[mark].append("its proxies' spans are not those of a request that did not reach goapi")
        if not any(span.error for span in trace.spans if span.service == "text-to-speech"):
            wrong[mark].append("no span of text-to-speech itself is an error")
    none_of(wrong)


def test_log_lines_name_their_trace(traces: Mapping[str, Trace], datadog: Datadog, evidence: Evidence) -> None:
    """text-to-speech and goapi write the id of the trace into their log lines, by which Datadog ties both together."""
    some = {trace.key: trace for trace in list(traces.values())[:: max(1, len(traces) // 6)]}
    ids = [spelled for trace in some.values() for spelled in (trace.spans[0].trace_id, str(trace.key))]
    wanted = {(key, app) for key in some for app in ("text-to-speech", "goapi")}

    def tied(lines: list[LogLine]) -> set[tuple[int, str]]:
        return {(trace_key(str(line.attributes.get("dd.trace_id", ""))), line.service) for line in lines}

    lines = datadog.logs(
        f"{any_of('@dd.trace_id', ids)} OR {any_of('trace_id', ids)}",
        until=lambda lines: tied(lines) >= wanted,
        what="the apps' lines about these requests are found",
    )
    evidence.add("lines", [line.message for line in lines])
    missing = sorted(f"{app} has no line that names trace {key:016x}" for key, app in wanted - tied(lines))
    assert not missing, f"{len(missing)} of {len(wanted)}: {missing[0]}"


def test_nothing_arrives_twice(sent: Sent, traces: Mapping[str, Trace], datadog: Datadog, evidence: Evidence) -> None:
    """No span is at Datadog more than once, asked again after everything else."""
    spans = datadog.backend.spans(trace_query(trace.spans[0].trace_id for trace in traces.values()), datadog.since)
    evidence.add("spans", {"now": len(spans), "when first found": len(sent.arrived.spans)})
    repeated = twice(spans)
    assert not repeated, f"{len(repeated)} spans: {repeated[0]}"
