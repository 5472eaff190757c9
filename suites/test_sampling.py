"""As many requests are traced as the Telemetry object asks for: none, some, all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import getrandbits

import pytest

from meshproof.datadog import Datadog
from meshproof.errors import Inconclusive, InvalidMeasurement
from meshproof.mesh import Mesh
from meshproof.observability.arrivals import Settled
from meshproof.observability.marks import Batch
from meshproof.observability.sampling import forced, is_decided, judge_share
from meshproof.observability.staging import sampling
from meshproof.report.evidence import Evidence
from meshproof.settings import TracingChoice
from meshproof.verdict import Verdict
from meshproof.verdict.split import SplitPromise

pytestmark = [
    pytest.mark.looks_at("agents", "addresses", "gateway", "goapi", "speech", "client"),
    pytest.mark.changes("gateway", "goapi", "speech", "client"),  # what they tell of themselves
]

URL = "http://text-to-speech.apps.svc.cluster.local/"
# By meshproof.verdict.planning.plan_split: decided with probability 99.98 % when a quarter is traced.
QUARTER = SplitPromise((25, 75), margin=0.15, alpha=1e-3, cap=600)
NONE, SENTINELS = 100, 3


@dataclass(frozen=True)
class Sampled:
    """Marks of requests at 25 %, at 0 %, at 0 % from clients that want a trace; which of all of them were traced."""

    quarter: list[str]
    none: list[str]
    forced: list[str]
    traced: frozenset[str]


@pytest.fixture(scope="module")
def sampled(mesh: Mesh, datadog: Datadog) -> Sampled:
    """Requests through the gateway, which decides for all proxies that follow, at one percentage after the other."""
    if mesh.settings.tracing is TracingChoice.LEGACY:
        pytest.skip(
            "with --tracing legacy the percentage is part of Istio's installation: there is no Telemetry object"
        )
    batch = Batch()
    count = QUARTER.cap + NONE + 2 * SENTINELS
    marks, requests = batch.marks(count), batch.requests(URL, count)
    quarter, none = slice(0, QUARTER.cap), slice(QUARTER.cap, QUARTER.cap + NONE)
    kept, after = slice(none.stop, none.stop + SENTINELS), slice(none.stop + SENTINELS, count)
    with sampling(mesh.cluster, [mesh.proxy(mesh.gateway_pod)]) as trace:
        trace(25)
        mesh.through_gateway(*requests[quarter])
        trace(0)
        mesh.through_gateway(*requests[none])
        wanted = [replace(it, headers=forced(it, getrandbits(62) + 1, getrandbits(62) + 1)) for it in requests[kept]]
        mesh.through_gateway(*wanted)
        trace(100)
        mesh.through_gateway(*requests[after])
    spans = datadog.spans(
        f"service:istio-ingressgateway.istio-system {batch.query}",
        until=Settled(batch, {*marks[kept], *marks[after]}),
        what="the requests sent last are found",
    )
    seen = batch.seen(spans)
    if not seen >= {*marks[after]}:
        raise InvalidMeasurement("requests sent last, at 100 %, were not found: what is missing before means nothing")
    return Sampled(marks[quarter], marks[none], marks[kept], seen)


def test_a_quarter_of_the_requests_is_traced_when_a_quarter_is_asked_for(sampled: Sampled, evidence: Evidence) -> None:
    """With randomSamplingPercentage 25 the share of traced requests is 25 %, wrong at most once in 1,000 runs."""
    judgement = judge_share(sampled.quarter, sampled.traced, QUARTER)
    evidence.add("judgement", judgement)
    evidence.figure("traced at 25 %", 100 * judgement.shares[0], "%", *(100 * end for end in judgement.intervals[0]))
    if not is_decided(judgement):
        raise Inconclusive(judgement.reason)
    counts = f"{judgement.counts[0]} of {judgement.requests} requests were traced at 25 %"
    assert judgement.verdict is Verdict.CONFORM, f"{counts}: {judgement.reason}"


def test_no_request_is_traced_when_none_is_asked_for(sampled: Sampled, evidence: Evidence) -> None:
    """With randomSamplingPercentage 0 nothing is traced but what its client wants to be."""
    traced, wanted = sampled.traced & {*sampled.none}, sampled.traced & {*sampled.forced}
    evidence.add("traced", {"at 0 %": traced, "wanted by their clients": wanted, "sent": len(sampled.none)})
    if len(wanted) < SENTINELS:
        raise InvalidMeasurement(
            "requests whose clients want a trace have none either, so others without prove nothing"
        )
    assert not traced, f"{len(traced)} of {len(sampled.none)} requests were traced at 0 %"
