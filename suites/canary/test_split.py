"""Live traffic is split as the VirtualService says, request by request, from outside and from inside the mesh."""

from __future__ import annotations

import numpy as np

from meshproof.errors import InvalidMeasurement
from meshproof.load.counters import counts_by_arm
from meshproof.load.measured import Measured, conforms
from meshproof.load.reconcile import reconcile
from meshproof.load.routes import weights_held
from meshproof.load.staging import ARMS, SPEECH
from meshproof.load.strictness import Strict
from meshproof.mesh import Mesh
from meshproof.probe import Proxy
from meshproof.report.evidence import Evidence
from meshproof.report.history import ERROR_RATE, EVIDENCE
from meshproof.report.measured import draw_counts, draw_split
from meshproof.verdict import Verdict
from meshproof.verdict.independence import judge_independence
from meshproof.verdict.split import SplitPromise, at_looks, judge_split

PROMISED = {"v1": 70, "v2": 30}


def test_the_proxy_that_chooses_is_told_the_weights(choosers: list[Proxy], mesh: Mesh, evidence: Evidence) -> None:
    """Every proxy that sends requests to text-to-speech is told to give 70 % to v1 and 30 % to v2."""
    mesh.in_force()
    held = {proxy.id: weights_held(proxy.config_dump("dynamic_route_configs"), SPEECH) for proxy in choosers}
    evidence.add("weights", held)
    for proxy, weights in held.items():
        assert weights, f"{proxy} knows no route to {SPEECH}"
        assert weights == [PROMISED], f"{proxy} splits by {' and by '.join(map(str, weights))}, not by {PROMISED}"


def test_traffic_is_split_as_promised(measured: Measured, strict: Strict, evidence: Evidence) -> None:
    """70 % of the requests go to v1 and 30 % to v2, within the margin and as surely as the run is strict."""
    promise = SplitPromise((70, 30), strict.margin / 100, strict.alpha)
    draw_split(evidence, measured.rows, promise, ARMS)
    counts, unattributed = at_looks(measured.rows.arm(ARMS), len(ARMS))
    judged = judge_split(counts, promise, unattributed=unattributed)
    evidence.figure("against 70/30", judged.log_evidence, EVIDENCE)
    evidence.figure("may be wrong", strict.alpha, ERROR_RATE)
    evidence.text("what the run said", measured.told)
    conforms(measured.verdict, measured.told)


def test_every_request_is_drawn_anew(measured: Measured, strict: Strict, evidence: Evidence) -> None:
    """The arm depends neither on the connection nor on the request before."""
    rows = measured.rows
    evidence.figure("may be wrong", strict.alpha, ERROR_RATE)
    found = judge_independence(rows.arm(ARMS), rows.user, strict.alpha)
    evidence.add("independence", found)
    if found.verdict is Verdict.INVALID:
        raise InvalidMeasurement(found.reason)
    assert found.verdict is not Verdict.VIOLATE, found.reason


def test_client_and_proxies_count_the_same(measured: Measured, evidence: Evidence) -> None:
    """What the client attributed to each arm is what the proxies sent to its pods."""
    rows = measured.rows
    arm = rows.arm(ARMS)
    client = {name: int(np.count_nonzero(arm == place)) for place, name in enumerate(ARMS)}
    failed = {name: int(np.count_nonzero((arm == place) & rows.failed)) for place, name in enumerate(ARMS)}
    proxies = counts_by_arm(measured.before, measured.after, ARMS)
    found = reconcile(client, proxies, failed=failed, unattributed=int(np.count_nonzero(arm < 0)))
    draw_counts(evidence, found)
    if found.verdict is Verdict.INVALID:
        raise InvalidMeasurement(found.reason, seen="\n".join(found.lines))
