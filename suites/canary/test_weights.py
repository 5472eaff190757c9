"""Weights are changed while traffic flows: each change takes effect, and no request is lost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from meshproof.errors import InvalidMeasurement
from meshproof.load.outside import run_outside
from meshproof.load.phases import Change, changes
from meshproof.load.staging import ARMS, SPEECH, rerouted, wait_for_route
from meshproof.mesh import Mesh
from meshproof.probe import Proxy, contains, hold
from meshproof.report.evidence import Evidence
from meshproof.report.measured import draw_shares, draw_weights
from meshproof.verdict import Verdict
from meshproof.verdict.split import SplitJudgement, SplitPromise, at_looks, judge_split

ALPHA = 1e-4
"""Of each step. 50/50 where 70/30 is promised, or the other way round, is refuted within 400 requests."""
STEPS = (("first", (70, 30), 5), ("even", (50, 50), 5), ("all", (0, 100), 3), ("back", (70, 30), 5))
"""Revision, weights, seconds."""
RATE = 250.0
FEWEST = 400
START = 6
"""Seconds that Locust takes to begin, on a busy machine; the first step is longer by what it takes less."""


def test_weights_can_be_changed_under_traffic(mesh: Mesh, gateways: list[Proxy], evidence: Evidence) -> None:
    """70/30, 50/50, 0/100 and back while requests flow: each change takes effect, and no request is lost."""
    wait_for_route(mesh.cluster, gateways)
    applied = list[tuple[str, int]]()
    seconds = sum(length for _, _, length in STEPS) + START
    # The canary's test makes a given number of requests, whatever their arms; its verdict is not asked for.
    options = {"target-host": SPEECH, "rate": RATE, "requests": int(RATE * seconds), "margins": "sample-apps"}
    rows = mesh.reports / "changed-weights.parquet"
    with rerouted(mesh.cluster, gateways) as reroute, ThreadPoolExecutor(1) as pool:

        def apply(revision: str, weights: Sequence[int]) -> None:
            applied.append((revision, time.time_ns() // 1000))
            reroute(revision, weights)

        (name, weights, length), *others = STEPS
        apply(name, weights)
        hold(gateways, contains(name), what="the first revision is in force", resource="dynamic_route_configs")
        running = pool.submit(
            run_outside, "canary", f"http://{mesh.gateway_address}", options, seconds=seconds, rows=rows
        )
        time.sleep(START + length)
        for name, weights, length in others:
            apply(name, weights)
            time.sleep(length)
        ended = running.result()
    draw_weights(evidence, ended.rows, [(at, weights) for (_, at), (_, weights, _) in zip(applied, STEPS, strict=True)])
    found = changes(ended.rows, applied, settle=mesh.timeouts.configuration_sync)
    for change in found[1:]:
        evidence.figure(f"until {change.revision} was complete", change.seconds, "s")
    lost = ended.rows.where(ended.rows.failed)
    why = sorted(set(map(str, lost.error)))[:3]
    assert not len(lost), f"{len(lost)} of {len(ended.rows)} requests were lost: {why}"
    judged = [judge(change, weights) for change, (_, weights, _) in zip(found, STEPS, strict=True)]
    draw_shares(
        evidence,
        {f"{one.revision}, {split[1]} %": each for one, (_, split, _), each in zip(found, STEPS, judged, strict=True)},
        f"{100 * (1 - ALPHA):g} % for each revision, at all its requests at once",
    )
    for change, each in zip(found, judged, strict=True):
        check_share(change, each)


def judge(change: Change, weights: Sequence[int]) -> SplitJudgement:
    """How what was answered under one revision is split."""
    counts, unattributed = at_looks(change.rows.arm(ARMS), len(ARMS))
    return judge_split(counts, SplitPromise(tuple(map(float, weights)), alpha=ALPHA), unattributed=unattributed)


def check_share(change: Change, judged: SplitJudgement) -> None:
    """What was answered under one revision is split by its weights."""
    if len(change.rows) < FEWEST:
        raise InvalidMeasurement(f"only {len(change.rows)} requests under revision {change.revision}")
    assert not change.returned, f"{change.returned} requests met an earlier revision long after {change.revision}"
    if judged.verdict is Verdict.INVALID:
        raise InvalidMeasurement(judged.reason)
    assert judged.verdict is not Verdict.VIOLATE, f"{change.revision}: {judged.reason}; counts {judged.counts}"
