"""Live traffic is split as the VirtualService says, request by request, from outside and from inside the mesh."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from meshproof.errors import Inconclusive, InvalidMeasurement
from meshproof.kube import ExecResult
from meshproof.load.counters import Readings, counts_by_arm, readings
from meshproof.load.inside import run_inside
from meshproof.load.judging import SplitRun
from meshproof.load.outside import Ended, run_outside
from meshproof.load.phases import Change, changes
from meshproof.load.reconcile import reconcile
from meshproof.load.rows import Rows
from meshproof.load.view import View
from meshproof.manifests import Manifest
from meshproof.mesh import APPS, Mesh
from meshproof.probe import Proxy
from meshproof.probe.barrier import contains, hold
from meshproof.probe.inventory import Pod
from meshproof.report.evidence import Evidence
from meshproof.verdict import Verdict
from meshproof.verdict.independence import judge_independence
from meshproof.verdict.split import SplitPromise, at_looks, judge_split
from meshproof.waiting import eventually

SPEECH = "text-to-speech.apps.svc.cluster.local"
ARMS = ("v1", "v2")
ALPHA = 1e-4
"""Of each check."""
LOAD = {"target-host": SPEECH, "alpha": ALPHA, "rate": 300.0, "late-after": 0.05}
"""The client shares its processors with the whole cluster: a start may be 50 ms late before it counts."""
IMAGE = "docker.io/meshproof/text-to-speech-canary:1.0.0"
REVISION = "x-meshproof-revision"


@dataclass(frozen=True)
class Measured:
    """A run, and what the proxies that made the choice counted meanwhile."""

    verdict: Verdict
    told: str
    rows: Rows
    before: Readings
    after: Readings


def gateways(mesh: Mesh) -> list[Proxy]:
    """The proxies of all gateway pods."""
    pods = [pod for pod in mesh.pods("istio-system") if pod.labels.get("app") == "istio-ingressgateway"]
    return [mesh.proxy(pod) for pod in pods]


def settled(proxies: Sequence[Proxy], mark: str) -> None:
    """Every proxy's routes have the mark in them."""
    hold(proxies, contains(mark), what=f"every proxy on the way holds {mark}", resource="dynamic_route_configs")


@pytest.fixture(scope="module")
def at_the_gateway(mesh: Mesh) -> Measured:
    """One run through the gateway, ended by its own verdict."""
    proxies = gateways(mesh)
    settled(proxies, "x-meshproof-arm")
    before = readings(proxies, SPEECH, 80, ARMS)
    ended = run_outside(
        "split", f"http://{mesh.gateway_address}", LOAD, seconds=40, rows=mesh.reports / "split.parquet"
    )
    return Measured(ended.verdict, ended.said, ended.rows, before, readings(proxies, SPEECH, 80, ARMS))


@pytest.fixture(scope="module")
def client(mesh: Mesh) -> Iterator[Pod]:
    """A pod with a sidecar and Python."""
    with mesh.temporary([load_pod()]):

        def ready() -> Pod | None:
            return next((pod for pod in mesh.pods(APPS) if pod.name == "load" and pod.is_ready), None)

        found = eventually(ready, timeout=mesh.timeouts.rollout, what="the pod that makes load is ready")
        assert found is not None
        if not found.has_proxy:
            raise InvalidMeasurement("the pod that makes load has no sidecar")
        yield found


def load_pod() -> Manifest:
    """Waits to be told what to send."""
    container = {
        "name": "load",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "3600"],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    }
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "load", "namespace": APPS}, "spec": spec}


@pytest.fixture(scope="module")
def in_the_mesh(mesh: Mesh, client: Pod) -> Measured:
    """One run from a pod, through its sidecar."""
    proxies = [mesh.proxy(client)]
    settled(proxies, "x-meshproof-arm")

    def execute(argv: Sequence[str], timeout: float) -> ExecResult:
        return mesh.cluster.execute(APPS, client.name, argv, container="load", timeout=timeout)

    before = readings(proxies, SPEECH, 80, ARMS)
    run = SplitRun({name.replace("-", "_"): value for name, value in LOAD.items()} | {"rate": 200.0})
    view, rows = run_inside(execute, f"http://{SPEECH}", run)
    return Measured(view.verdict, told(view), rows, before, readings(proxies, SPEECH, 80, ARMS))


def told(view: View) -> str:
    return "\n".join(view.lines)


@pytest.fixture(params=["gateway", "mesh"])
def measured(request: pytest.FixtureRequest) -> Measured:
    """The run of each vantage."""
    found: Measured = request.getfixturevalue("at_the_gateway" if request.param == "gateway" else "in_the_mesh")
    return found


def test_traffic_is_split_as_promised(measured: Measured, evidence: Evidence) -> None:
    """70 % of the requests go to v1 and 30 % to v2, within 5 points; wrong at most once in 10,000 runs."""
    evidence.add("run", measured.told)
    if measured.verdict is Verdict.INVALID:
        raise InvalidMeasurement("the split could not be measured", seen=measured.told)
    if measured.verdict is Verdict.INCONCLUSIVE:
        raise Inconclusive("the requests did not decide", seen=measured.told)
    assert measured.verdict is Verdict.CONFORM, measured.told


def test_every_request_is_drawn_anew(measured: Measured, evidence: Evidence) -> None:
    """The arm depends neither on the connection nor on the request before."""
    rows = measured.rows
    found = judge_independence(rows.arm(ARMS), rows.user, ALPHA)
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
    evidence.add("counts", found.lines)
    if found.verdict is Verdict.INVALID:
        raise InvalidMeasurement(found.reason, seen="\n".join(found.lines))


def with_weights(route: dict[str, Any], weights: Sequence[int], revision: str) -> list[dict[str, Any]]:
    """The VirtualService's routes with other weights; every answer carries the revision."""
    changed = copy.deepcopy(route)
    for destination, weight in zip(changed["route"], weights, strict=True):
        destination["weight"] = weight
        destination["headers"]["response"]["set"][REVISION] = revision
    return [changed]


def test_weights_can_be_changed_under_traffic(mesh: Mesh, evidence: Evidence) -> None:
    """70/30, 50/50, 0/100 and back while requests flow: each change takes effect, and no request is lost."""
    steps = [("first", (70, 30), 8), ("even", (50, 50), 9), ("all", (0, 100), 4), ("back", (70, 30), 8)]
    service = mesh.cluster.get("VirtualService", "text-to-speech-vs", APPS)
    assert service is not None, "there is no VirtualService apps/text-to-speech-vs"
    (route,) = service["spec"]["http"]
    proxies, applied = gateways(mesh), list[tuple[str, int]]()

    def apply(name: str, weights: Sequence[int]) -> None:
        applied.append((name, time.time_ns() // 1000))
        mesh.cluster.patch(
            "VirtualService", "text-to-speech-vs", {"spec": {"http": with_weights(route, weights, name)}}, APPS
        )

    seconds = sum(length for _, _, length in steps) + 8
    # The canary's test makes a given number of requests, whatever their arms; its verdict is not asked for.
    options = {**LOAD, "requests": int(250 * seconds), "rate": 250.0, "margins": "sample-apps"}
    try:
        apply(*steps[0][:2])
        settled(proxies, steps[0][0])
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(
                run_outside, "canary", f"http://{mesh.gateway_address}", options, seconds=seconds,
                rows=mesh.reports / "changed-weights.parquet",
            )  # fmt: skip
            time.sleep(6 + steps[0][2])
            for name, weights, length in steps[1:]:
                apply(name, weights)
                time.sleep(length)
            ended: Ended = running.result()
    finally:
        mesh.cluster.patch("VirtualService", "text-to-speech-vs", {"spec": {"http": [route]}}, APPS)
    found = changes(ended.rows, applied, settle=mesh.timeouts.configuration_sync)
    evidence.add("seconds until each change was complete", {change.revision: change.seconds for change in found})
    lost = ended.rows.where(ended.rows.failed)
    assert not len(lost), (
        f"{len(lost)} of {len(ended.rows)} requests were lost: {sorted(set(map(str, lost.error)))[:3]}"
    )
    for change, (_, weights, _) in zip(found, steps, strict=True):
        check_share(change, weights, evidence)


def check_share(change: Change, weights: Sequence[int], evidence: Evidence) -> None:
    """What was answered under one revision is split by its weights."""
    if len(change.rows) < 200:
        raise InvalidMeasurement(f"only {len(change.rows)} requests under revision {change.revision}")
    assert not change.returned, f"{change.returned} requests met an earlier revision long after {change.revision}"
    counts, unattributed = at_looks(change.rows.arm(ARMS), len(ARMS))
    judged = judge_split(counts, SplitPromise(tuple(map(float, weights)), alpha=ALPHA), unattributed=unattributed)
    evidence.add(f"split under {change.revision}", judged)
    if judged.verdict is Verdict.INVALID:
        raise InvalidMeasurement(judged.reason)
    assert judged.verdict is not Verdict.VIOLATE, f"{change.revision}: {judged.reason}; counts {judged.counts}"
