"""Load on the mesh: one run through the gateway, one from a pod in the mesh; several checks look at each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from meshproof.errors import InvalidMeasurement
from meshproof.kube import ExecResult
from meshproof.load.counters import readings
from meshproof.load.inside import run_inside
from meshproof.load.judging import SplitRun
from meshproof.load.measured import Measured
from meshproof.load.options import by_key
from meshproof.load.outside import run_outside
from meshproof.load.staging import ARMS, SPEECH, load_pod, wait_for_route
from meshproof.load.strictness import Strict
from meshproof.mesh import APPS, Mesh
from meshproof.probe import Proxy
from meshproof.probe.inventory import Pod
from meshproof.waiting import eventually

RATE = {"gateway": 300.0, "mesh": 200.0, "canary": 250.0}
"""Requests a second. The client shares its processors with the whole cluster."""
SHARES_NEED_NO_PUNCTUALITY = 1.0
"""Seconds by which a start may be late where only shares are judged: who is answered by whom does not depend on it."""
LATE_AFTER = 0.1
"""Where latencies are compared. A late start is late for both arms alike."""


@pytest.fixture(scope="session")
def split_load(strict: Strict) -> dict[str, object]:
    """Options of a run that judges shares."""
    return {
        "target-host": SPEECH,
        "alpha": strict.alpha,
        "margin": strict.margin,
        "cap": strict.cap,
        "late-after": SHARES_NEED_NO_PUNCTUALITY,
    }


@pytest.fixture(scope="session")
def canary_load(strict: Strict) -> dict[str, object]:
    """Options of the run that compares the arms."""
    return {
        "target-host": SPEECH,
        "alpha": strict.alpha,
        "rate": RATE["canary"],
        "requests": strict.requests,
        "late-after": LATE_AFTER,
        "margins": "sample-apps",
    }


@pytest.fixture(scope="session")
def gateways(mesh: Mesh) -> list[Proxy]:
    """The proxies of all gateway pods: they choose for requests from outside."""
    return mesh.gateway_proxies


@pytest.fixture(scope="session")
def client(mesh: Mesh) -> Iterator[Pod]:
    """A pod with a sidecar and Python; its sidecar chooses for requests from the mesh."""
    with mesh.temporary([load_pod()], wait=False):

        def ready() -> Pod | None:
            return next((pod for pod in mesh.pods(APPS) if pod.name == "load" and pod.is_ready), None)

        found = eventually(ready, timeout=mesh.timeouts.rollout, what="the pod that makes load is ready")
        assert found is not None
        if not found.has_proxy:
            raise InvalidMeasurement("the pod that makes load has no sidecar")
        yield found


@pytest.fixture(params=["gateway", "mesh"])
def choosers(request: pytest.FixtureRequest, mesh: Mesh, gateways: list[Proxy]) -> list[Proxy]:
    """The proxies that choose an arm for requests from each vantage."""
    if request.param == "gateway":
        return gateways
    client: Pod = request.getfixturevalue("client")
    return [mesh.proxy(client)]


@pytest.fixture(scope="session")
def at_the_gateway(mesh: Mesh, gateways: list[Proxy], split_load: dict[str, object]) -> Measured:
    """One run through the gateway, ended by its own verdict."""
    wait_for_route(mesh.cluster, gateways)
    before = readings(gateways, SPEECH, 80, ARMS)
    seconds = float(str(split_load["cap"])) / RATE["gateway"] + 20
    options = {**split_load, "rate": RATE["gateway"]}
    rows = mesh.reports / "split.parquet"
    ended = run_outside("split", f"http://{mesh.gateway_address}", options, seconds=seconds, rows=rows)
    return Measured(ended.verdict, ended.said, ended.run_id, ended.rows, before, readings(gateways, SPEECH, 80, ARMS))


@pytest.fixture(scope="session")
def in_the_mesh(mesh: Mesh, client: Pod, split_load: dict[str, object]) -> Measured:
    """One run from a pod, through its sidecar."""
    proxies = [mesh.proxy(client)]
    wait_for_route(mesh.cluster, proxies)

    def execute(argv: Sequence[str], timeout: float) -> ExecResult:
        return mesh.cluster.execute(APPS, client.name, argv, container="load", timeout=timeout)

    before = readings(proxies, SPEECH, 80, ARMS)
    run = SplitRun(by_key(split_load) | {"rate": RATE["mesh"]})
    view, rows = run_inside(execute, f"http://{SPEECH}", run)
    told = "\n".join(view.lines)
    return Measured(view.verdict, told, run.load.run_id, rows, before, readings(proxies, SPEECH, 80, ARMS))


@pytest.fixture(scope="session")
def compared(mesh: Mesh, gateways: list[Proxy], canary_load: dict[str, object]) -> Measured:
    """One run through the gateway, of so many requests as the comparison of the arms needs."""
    wait_for_route(mesh.cluster, gateways)
    before = readings(gateways, SPEECH, 80, ARMS)
    rows = mesh.reports / "canary.parquet"
    seconds = float(str(canary_load["requests"])) / RATE["canary"] + 20
    ended = run_outside("canary", f"http://{mesh.gateway_address}", canary_load, seconds=seconds, rows=rows)
    return Measured(ended.verdict, ended.said, ended.run_id, ended.rows, before, readings(gateways, SPEECH, 80, ARMS))


@pytest.fixture(params=["gateway", "mesh"])
def measured(request: pytest.FixtureRequest) -> Measured:
    """The run of each vantage."""
    found: Measured = request.getfixturevalue("at_the_gateway" if request.param == "gateway" else "in_the_mesh")
    return found
