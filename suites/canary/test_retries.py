"""Retries do not move the split: a request that is tried again stays with its arm, and is one request."""

from __future__ import annotations

from meshproof.errors import InvalidMeasurement
from meshproof.load.counters import counts_by_arm, readings
from meshproof.load.judging import SplitRun
from meshproof.load.measured import conforms
from meshproof.load.options import by_key
from meshproof.load.outside import run_outside
from meshproof.load.staging import ARMS, FAILING, SPEECH, failing, rerouted, wait_for_route
from meshproof.mesh import Mesh
from meshproof.probe import Proxy, contains, hold
from meshproof.report.evidence import Evidence
from meshproof.report.measured import draw_split
from meshproof.verdict import Verdict

FAILED = 30
"""Per cent of the attempts at v2. Six attempts in a row fail once in 1,400 requests to it."""
RETRIES = {"attempts": 5, "retryOn": "5xx", "perTryTimeout": "5s"}
FEWEST = 50


def test_retries_do_not_move_the_split(
    mesh: Mesh, gateways: list[Proxy], split_load: dict[str, object], evidence: Evidence
) -> None:
    """v2 fails 30 % of its attempts and all are tried again: its pods get 43 % more requests than were made for it, and
    it still answers 30 % of the requests."""
    wait_for_route(mesh.cluster, gateways)
    canaries = [mesh.proxy(pod) for pod in mesh.pods("apps") if pod.labels.get("version") == "v2"]
    with rerouted(mesh.cluster, gateways) as reroute, mesh.temporary([failing("v2", FAILED)]):
        reroute("retries", retries=RETRIES)
        hold(canaries, contains(FAILING), what="v2 fails", resource="dynamic_listeners")
        hold(gateways, contains("retries"), what="the gateway tries again", resource="dynamic_route_configs")
        before = readings(gateways, SPEECH, 80, ARMS)
        options = {**split_load, "rate": 200.0, "revision": "retries"}
        ended = run_outside(
            "split", f"http://{mesh.gateway_address}", options, seconds=60, rows=mesh.reports / "retries.parquet"
        )
        counts = counts_by_arm(before, readings(gateways, SPEECH, 80, ARMS), ARMS)
    draw_split(evidence, ended.rows, SplitRun(by_key(options)).promise, ARMS)
    evidence.text("what the run said", ended.said)
    evidence.table(
        "attempts",
        ["arm", "requests", "attempts", "failed attempts"],
        [[arm, int((ended.rows.version == arm).sum()), counts[arm].attempts, counts[arm].errors] for arm in ARMS],
    )
    if ended.verdict is not Verdict.VIOLATE and counts["v2"].errors < FEWEST:
        raise InvalidMeasurement(f"only {counts['v2'].errors} attempts at v2 failed, so nothing was tried again")
    conforms(ended.verdict, ended.said)
