"""One version against itself: where there is nothing to find, nothing is found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from meshproof.errors import Inconclusive
from meshproof.load.measured import conforms
from meshproof.load.options import Load, by_key, canary_promise
from meshproof.load.outside import run_outside
from meshproof.load.staging import ARMS, SPEECH, wait_for_route
from meshproof.load.strictness import Strict
from meshproof.mend.notes import noted, restoring
from meshproof.mesh import APPS, Mesh
from meshproof.probe import Proxy
from meshproof.report.evidence import Evidence
from meshproof.report.history import ERROR_RATE
from meshproof.report.measured import draw_canary
from meshproof.verdict.canary import Comparison, judge_canary
from meshproof.waiting import eventually

RATE = 100.0
"""Requests a second: so few that hardly one has to wait for another."""
MARGINS = "p50=1.15,p90=1.5,p99=4"
"""What so many requests can decide: 3,000 tell the median within 6 %, the 99th percentile within a factor of 3."""
ENOUGH = 10_000
"""Requests that show one failure in a hundred of an arm: 8,000 did in 59 of 60 simulated runs, 10,000 in all."""
RULE = ("DestinationRule", "text-to-speech-destination-rule", APPS, "networking.istio.io/v1")


@contextmanager
def both_arms_are_v1(mesh: Mesh, proxies: Sequence[Proxy]) -> Iterator[None]:
    """Both subsets select the pods of v1, as every gateway sees it; the arms keep their names. Afterwards as before."""
    kind, name, namespace, version = RULE
    found = mesh.cluster.get(kind, name, namespace, version)
    assert found is not None, f"there is no {kind} {namespace}/{name}"
    before = {"spec": {"subsets": found["spec"]["subsets"]}}
    same = [{**subset, "labels": {**subset["labels"], "version": "v1"}} for subset in before["spec"]["subsets"]]

    def wait(*, alike: bool) -> None:
        def look() -> bool:
            arms = [endpoints(proxy) for proxy in proxies]
            return all(all(arm.values()) and (arm["v1"] == arm["v2"]) == alike for arm in arms)

        what = "both arms lead to the same pods" if alike else "each arm leads to its own pods"
        eventually(look, timeout=mesh.timeouts.configuration_sync, what=what)

    with noted(mesh.cluster, f"the subsets of {SPEECH}", [restoring(*RULE, before)]):
        try:
            mesh.cluster.patch(kind, name, {"spec": {"subsets": same}}, namespace, version)
            wait(alike=True)
            yield
        finally:
            mesh.cluster.patch(kind, name, before, namespace, version)
            wait(alike=False)


def endpoints(proxy: Proxy) -> dict[str, frozenset[str]]:
    """The addresses that a proxy knows for each arm."""
    known = proxy.clusters()
    return {
        arm: frozenset(endpoint.address for endpoint in known if endpoint.cluster == f"outbound|80|{arm}|{SPEECH}")
        for arm in ARMS
    }


def test_one_version_against_itself_is_the_same(
    mesh: Mesh, gateways: list[Proxy], strict: Strict, evidence: Evidence
) -> None:
    """With both arms at v1 the split is as promised, and no quantile and no error rate of an arm is another."""
    requests = max(strict.requests, ENOUGH)
    options: dict[str, object] = {
        "target-host": SPEECH,
        "alpha": strict.alpha,
        "rate": RATE,
        "requests": requests,
        "late-after": 0.1,
        "margins": MARGINS,
    }
    wait_for_route(mesh.cluster, gateways)
    rows = mesh.reports / "same-version.parquet"
    with both_arms_are_v1(mesh, gateways):
        host = f"http://{mesh.gateway_address}"
        ended = run_outside("canary", host, options, seconds=requests / RATE + 20, rows=rows)
    given = by_key(options)
    load = Load.of(given)
    promise = canary_promise(load, given)
    draw_canary(evidence, ended.rows, promise, load.arms)
    evidence.figure("may be wrong", strict.alpha, ERROR_RATE)
    evidence.text("what the run said", ended.said)
    conforms(ended.verdict, ended.said)
    arm = ended.rows.arm(load.arms)
    known, second = ended.rows.where(arm >= 0), arm[arm >= 0] == 1
    judged = judge_canary(second, known.service, known.failed, promise, share=(0.3, 0.3))
    evidence.add("comparison", judged)
    others = {metric.metric: metric.comparison.value for metric in judged.metrics}
    wrong = {name: word for name, word in others.items() if word in (Comparison.BETTER, Comparison.WORSE)}
    assert not wrong, f"a version is told from itself: {wrong}"
    if Comparison.INCONCLUSIVE in others.values():
        raise Inconclusive("the requests did not show that both are the same", seen=others)
