"""Steady load for ten minutes, in which every component is restarted once: what is lost, and what is as before.

One soak serves all checks; the last two look at what comes after it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Event

import numpy as np
import pytest

from meshproof.datadog import Datadog, watching
from meshproof.errors import InvalidMeasurement
from meshproof.load.outside import run_outside
from meshproof.load.rows import Rows
from meshproof.load.staging import ARMS, SPEECH, wait_for_route
from meshproof.load.strictness import Strict
from meshproof.mesh import Mesh
from meshproof.nightly.components import components
from meshproof.nightly.restarting import restart
from meshproof.nightly.soak import Restart, faults, pace, quantiles, windows
from meshproof.observability.arrivals import arrivals
from meshproof.observability.ledger import COLUMNS, Expectation, reconcile
from meshproof.observability.marks import Batch
from meshproof.observability.sentinels import Stream, new_run
from meshproof.observability.traces import missing_parts
from meshproof.observability.writers import standing, writer_pod
from meshproof.probe import Proxy
from meshproof.prove.settling import settled
from meshproof.report.evidence import Evidence, Stage
from meshproof.report.history import ERROR_RATE, EVIDENCE
from meshproof.settings import DatadogChoice
from meshproof.verdict import Verdict
from meshproof.verdict.split import SplitPromise, at_looks, judge_split

pytestmark = pytest.mark.restarts

RATE = 60.0
START = 8
"""Seconds that Locust takes to begin."""
SETTLE = 5.0
"""Seconds after a restart in which a connection to what has ended may still be used."""
QUANTILES = (0.5, 0.9, 0.99)
SLOWER = 2.0
"""How many times as long the median may take after all restarts: everything runs on one machine."""
LINES = 50


@dataclass(frozen=True)
class Soak:
    """What was sent and answered, and what was restarted meanwhile."""

    rows: Rows
    restarts: list[Restart]


@pytest.fixture(scope="module")
def soak(mesh: Mesh) -> Soak:
    """The soak. All components are up again when it is given."""
    wait_for_route(mesh.cluster, mesh.gateway_proxies)
    saas = mesh.settings.datadog is DatadogChoice.SAAS
    table = components(mesh.settings.soak_may_lose, frozenset({"intake"} if saas else ()))
    seconds = mesh.settings.soak_seconds
    # The canary's test makes a given number of requests, whatever becomes of them; its verdict is not asked for.
    options = {
        "target-host": SPEECH,
        "rate": RATE,
        "requests": int(RATE * seconds),
        "margins": "p50=1000,errors=1000",
        "late-after": 1.0,
    }
    ended = Event()
    began = time.monotonic() + START

    def restart_all() -> list[Restart]:
        restarts = []
        for component, due in zip(table, pace(seconds, len(table)), strict=True):
            if ended.wait(max(0.0, began + due - time.monotonic())):
                break
            restarts.append(restart(mesh.cluster, component))
        return restarts

    with ThreadPoolExecutor(1) as pool:
        restarting = pool.submit(restart_all)
        try:
            # Here, where an interrupt ends it.
            host, file = f"http://{mesh.gateway_address}", mesh.reports / "soak.parquet"
            rows = run_outside("canary", host, options, seconds=seconds + 120, rows=file).rows
        except BaseException:
            ended.set()
            raise
        restarts = restarting.result()
    settled(mesh)
    return Soak(rows, restarts)


@pytest.fixture
def backend(mesh: Mesh) -> Iterator[Datadog]:
    """Datadog as it is found after the soak: the intake is another pod than before."""
    with watching(mesh) as found:
        yield found


def test_restarts_lose_no_more_than_they_may(soak: Soak, evidence: Evidence) -> None:
    """Nothing is lost while a part of the control plane or of the observability restarts, nor when nothing restarts;
    of what requests pass through, each part loses no more than its budget."""
    found = windows(soak.rows, soak.restarts, SETTLE)
    rows = [(one.name, one.requests, one.lost, one.may_lose, f"{one.longest:.1f}") for one in found]
    evidence.table("restarts", ["restarted", "requests", "lost", "may lose", "longest stretch, s"], rows)
    first = int(soak.rows.intended.min())
    stages = [Stage(it.name, "restarted", f"{(it.ended - it.began) / 1e6:.1f} s", (it.began - first) / 1e6)
              for it in soak.restarts]  # fmt: skip
    evidence.stages("the soak", stages)
    for one in found:
        evidence.figure(f"lost: {one.name}", one.lost, "requests")
    wrong = faults(found)
    assert not wrong, "; ".join(wrong)


def test_the_split_holds_over_the_whole_soak(soak: Soak, strict: Strict, evidence: Evidence) -> None:
    """70 % of all requests go to v1 and 30 % to v2, within the margin, through all restarts."""
    counts, unattributed = at_looks(soak.rows.arm(ARMS), len(ARMS))
    promise = SplitPromise((70, 30), strict.margin / 100, strict.alpha, cap=len(soak.rows))
    judged = judge_split(counts, promise, unattributed=unattributed)
    evidence.add("split", judged)
    evidence.figure("against 70/30", judged.log_evidence, EVIDENCE)
    evidence.figure("may be wrong", strict.alpha, ERROR_RATE)
    if judged.verdict is Verdict.INVALID:
        raise InvalidMeasurement(judged.reason)
    assert judged.verdict is Verdict.CONFORM, f"{judged.reason}; counts {judged.counts}"


def test_answers_are_as_fast_afterwards_as_before(soak: Soak, evidence: Evidence) -> None:
    """After all restarts the median answer takes at most twice as long as before the first one."""
    before, after = quantiles(soak.rows, soak.restarts, QUANTILES)
    for quantile, old, new in zip(QUANTILES, before, after, strict=True):
        evidence.figure(f"p{100 * quantile:g}, after over before", new / old)
    evidence.table("latency, ms", ["", *(f"p{100 * it:g}" for it in QUANTILES)], [
        ["before", *np.round(np.array(before) * 1e3, 2)], ["after", *np.round(np.array(after) * 1e3, 2)],
    ])  # fmt: skip
    assert after[0] <= SLOWER * before[0], f"the median was {before[0]:.4f} s before and is {after[0]:.4f} s now"


@pytest.mark.usefixtures("soak")
def test_traces_are_whole_after_the_soak(
    mesh: Mesh, backend: Datadog, gateways: list[Proxy], evidence: Evidence
) -> None:
    """Each of 20 requests through the gateway, sent after all restarts, arrives as one whole trace."""
    wait_for_route(mesh.cluster, gateways)
    batch = Batch()
    marks = batch.marks(20)
    answers = mesh.through_gateway(*batch.requests(f"http://{SPEECH}/speak", 20), parallel=2)
    if any(answer.status != 200 for answer in answers):
        raise InvalidMeasurement("not every request was answered 200", seen=[answer.status for answer in answers])
    found = arrivals(backend, batch, marks, whole=lambda _, trace: not missing_parts(trace))
    evidence.figure("requests that have a trace", 100 * len(found.traces) / len(marks), "%")
    wrong = found.unlike_one(marks)
    assert not wrong, f"{len(wrong)} of {len(marks)} requests have not one trace each: {', '.join(wrong[:3])}"
    parts = {mark: missing_parts(trace) for mark, trace in found.one_each(marks).items()}
    broken = {mark: missing for mark, missing in parts.items() if missing}
    assert not broken, f"{len(broken)} of {len(marks)} traces lack parts: {next(iter(broken.values()))}"


@pytest.mark.usefixtures("soak")
def test_logs_are_complete_after_the_soak(mesh: Mesh, backend: Datadog, evidence: Evidence) -> None:
    """Each of 50 lines that a pod writes after all restarts arrives once."""
    agents = [agent for agent in backend.agents() if agent.is_ready]
    if not agents:
        raise InvalidMeasurement("no agent is ready")
    pods = [writer_pod("meshproof-soak", "steady", node=agents[0].node)]
    stream = Stream(new_run(), "steady")
    expected = [Expectation(stream.name, range(1, LINES + 1))]
    with standing(mesh.cluster, partial(mesh.temporary, wait=False), ["meshproof-soak"], pods) as (writer,):
        writer.write(stream.lines(1, LINES))
        lines = backend.logs(
            stream.phrase(),
            until=lambda found: reconcile(stream.run, expected, found).complete,
            what=f"the {LINES} lines of {stream.name} arrive",
        )
    ledger = reconcile(stream.run, expected, lines)
    evidence.table("accounts", COLUMNS, [it.cells for it in ledger.accounts.values()])
    assert not ledger.faults, "; ".join(ledger.faults)
