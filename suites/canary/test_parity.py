"""Datadog saw what the client saw: each request of the canary's run, with its arm, its status and its time."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

from meshproof.datadog import Datadog
from meshproof.errors import InvalidMeasurement
from meshproof.load.counters import counts_by_arm
from meshproof.load.measured import Measured
from meshproof.load.parity import Parity, first_spans, parity
from meshproof.load.reconcile import reconcile
from meshproof.load.staging import ARMS
from meshproof.observability.services import (
    FIGURES_TOLERANCE,
    QUANTILES,
    Count,
    Window,
    counted,
    wrong_counts,
    wrong_quantiles,
)
from meshproof.report.evidence import Evidence, ParityRow
from meshproof.report.measured import draw_counts
from meshproof.verdict import Verdict
from meshproof.waiting import StateNotReached, eventually

GATEWAY = "istio-ingressgateway.istio-system"
ANSWERED = Count(GATEWAY, "envoy.proxy", 200)


@pytest.fixture(scope="module")
def traced(compared: Measured, datadog: Datadog) -> Parity:
    """The spans of the run's requests at the gateway, and the rows that they belong to."""
    spans = datadog.spans(
        first_spans(GATEWAY, compared.run_id),
        until=lambda found: len(found) >= len(compared.rows),
        what="the gateway's span of every request of the run is found",
    )
    found = parity(compared.rows, spans, ARMS)
    if not found.first:
        raise InvalidMeasurement("not one request of the run was found in the backend", seen=compared.run_id)
    return found


def test_client_proxies_and_traces_count_the_same(compared: Measured, traced: Parity, evidence: Evidence) -> None:
    """Three sources agree on every arm: the client's rows, the gateway's own counters, the spans in Datadog."""
    rows = compared.rows
    arm = rows.arm(ARMS)
    client = {name: int(np.count_nonzero(arm == place)) for place, name in enumerate(ARMS)}
    failed = {name: int(np.count_nonzero((arm == place) & rows.failed)) for place, name in enumerate(ARMS)}
    proxies = counts_by_arm(compared.before, compared.after, ARMS)
    found = reconcile(client, proxies, traced.spans, failed=failed, unattributed=int(np.count_nonzero(arm < 0)))
    draw_counts(evidence, found)
    assert found.verdict is not Verdict.INVALID, found.reason


def test_every_request_has_its_span(traced: Parity, evidence: Evidence) -> None:
    """Each request's span at the gateway has its arm and its status, and lies within the client's time of it."""
    rows = []
    for quantile in (0.5, 0.9, 0.99):
        ours, theirs = (1e3 * float(np.quantile(each, quantile)) for each in (traced.rows.service, traced.proxy))
        rows.append(ParityRow(f"p{quantile * 100:g}", ours, theirs, unit="ms"))
    evidence.parity("latency", rows, ours="client", theirs="gateway's spans")
    assert not traced.wrong, "; ".join(traced.wrong)


def test_statistics_are_those_of_the_requests(traced: Parity, datadog: Datadog, evidence: Evidence) -> None:
    """Requests, errors, p50 and p99 that Datadog counts for the gateway are those of the run: the numbers exactly, the
    quantiles within the error of the agent's sketch."""
    window = Window.within(int(traced.rows.start.min()) / 1e6, int(traced.rows.end.max()) / 1e6)
    ends = [(span.start + span.duration) / 1e9 for span in traced.first]
    mine = [span for span, end in zip(traced.first, ends, strict=True) if window.start <= end < window.end]
    good = [span for span in mine if str(span.attributes.get("http.status_code")) == "200"]
    figures = [counted(datadog.backend, ANSWERED, window)]

    def complete() -> bool:
        figures.append(counted(datadog.backend, ANSWERED, window))
        return figures[-1].hits >= len(good)

    with suppress(StateNotReached):  # what there is, is judged
        eventually(
            complete,
            timeout=datadog.mesh.timeouts.counted,
            what="the figures of the run are there",
            every=max(1.0, datadog.backend.poll_seconds),
        )
    rows = [ParityRow("requests", len(good), figures[-1].hits, 0, len(good) == figures[-1].hits)]
    told = zip(QUANTILES, figures[-1].quantiles, strict=True)
    for share, theirs in told:
        ours = float(np.quantile([span.duration for span in good], share)) / 1e6
        rows.append(ParityRow(f"p{share * 100:g}", ours, (theirs or 0.0) * 1e3, FIGURES_TOLERANCE, unit="ms"))
    evidence.parity("statistics", rows, ours="spans of the run", theirs="counted")
    findings = [*wrong_counts(ANSWERED, len(good), 0, figures[-1]), *wrong_quantiles(ANSWERED, good, figures[-1])]
    assert not findings, "; ".join(findings)
