"""Somebody restarts a part of the mesh while it is checked: a check waits for it, or measures nothing, and says why. It
does not take the restart for a broken promise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest

from meshproof.bed import kind
from meshproof.errors import InvalidMeasurement
from meshproof.files import suites_folder
from meshproof.mesh import Mesh
from meshproof.nightly.components import COMPONENTS
from meshproof.nightly.restarting import restart
from meshproof.prove.inner import run_tests
from meshproof.prove.settling import settled
from meshproof.report.evidence import Evidence
from meshproof.report.results import UNHARMED, CheckResult
from meshproof.verdict import Verdict

pytestmark = pytest.mark.restarts

API_SERVER = "kube-apiserver"
CONCERNED: Mapping[str, tuple[str, ...]] = {
    "istiod": ("test_injection.py", "test_mtls.py", "canary/test_retries.py"),
    "ingress gateway": ("test_gateway_address.py", "test_routing.py", "canary/test_split.py"),
    "goapi": ("test_routing.py", "test_apps.py"),
    "agent": ("test_traces.py", "test_log_delivery.py"),
    "intake": ("test_traces.py", "test_log_delivery.py"),
    API_SERVER: ("test_gateway_address.py", "test_mtls.py", "test_routing.py"),
}
"""The suites that a restart may reach, by what is restarted."""
HEAD_START = 1.5
"""Seconds before the first restart: checks are under way by then."""
BETWEEN = 3.0
"""Seconds from one restart's end to the next."""
LASTING = 45.0
"""Seconds of restarts: what is checked later finds it standing."""


@pytest.mark.parametrize("name", CONCERNED)
def test_a_restart_is_not_taken_for_a_broken_promise(name: str, mesh: Mesh, evidence: Evidence) -> None:
    """While it is restarted again and again, its checks conform or are INVALID; afterwards all of them conform."""
    with again_and_again(restarter(mesh, name)) as restarts:
        meanwhile = checked(mesh, name, "meanwhile")
    settled(mesh)
    afterwards = checked(mesh, name, "afterwards")
    evidence.figure("restarts", len(restarts))
    evidence.table(
        "checks",
        ["check", "meanwhile", "afterwards"],
        [[one.check, said(one), said(other)] for one, other in zip(meanwhile, afterwards, strict=True)],
    )
    if not restarts:
        raise InvalidMeasurement(f"{name} was not restarted while its checks ran", seen=f"{len(meanwhile)} checks")
    blamed = [check for check in meanwhile if check.verdict not in (*UNHARMED, Verdict.INVALID)]
    assert not blamed, f"taken for broken promises: {'; '.join(map(said, blamed))}"
    ill = [check for check in afterwards if check.verdict not in UNHARMED]
    assert not ill, f"not so afterwards: {'; '.join(map(said, ill))}"


def checked(mesh: Mesh, name: str, when: str) -> list[CheckResult]:
    """The checks that a restart concerns, in a session of their own."""
    folder = mesh.reports / "disturbed"
    session = f"{name.replace(' ', '-')}-{when}"
    return run_tests(
        mesh.session(session, folder), suites_folder("a night"), CONCERNED[name], folder / f"{session}.log"
    )


def said(check: CheckResult) -> str:
    """How it ended, in a line."""
    first = check.reason.partition("\n")[0][:300]
    return first if first.startswith(check.verdict.value) else f"{check.verdict.value} {first}".strip()


def restarter(mesh: Mesh, name: str) -> Callable[[], bool]:
    """Restarts it, and returns whether to do so again."""
    if name != API_SERVER:
        component = next(component for component in COMPONENTS if component.name == name)
        return lambda: bool(restart(mesh.cluster, component))
    engine = mesh.bed.engine
    if engine is None:
        pytest.skip("the API server of a borrowed cluster is not ours to restart")

    def end_api_server() -> bool:
        # Once: the kubelet takes longer to start it each time.
        with engine.client() as client:
            for node in kind.nodes_of(client, mesh.settings.cluster_name):
                node.exec_run(["pkill", "-x", API_SERVER])
        return False

    return end_api_server


@contextmanager
def again_and_again(act: Callable[[], bool]) -> Iterator[list[float]]:
    """While the block and LASTING last, `act` as long as it returns True; gives the moments at which it was done."""
    done, moments = Event(), list[float]()

    def go_on() -> None:
        again, pause, began = True, HEAD_START, time.time()
        while again and time.time() < began + LASTING and not done.wait(pause):
            moments.append(time.time())
            again, pause = act(), BETWEEN

    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(go_on)
        try:
            yield moments
        finally:
            done.set()
        acting.result()
