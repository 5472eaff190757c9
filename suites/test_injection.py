"""Sidecars are where they should be, and nowhere else."""

from __future__ import annotations

import pytest

from meshproof.errors import InvalidMeasurement
from meshproof.mesh import APPS, OUTSIDE, Mesh
from meshproof.report.evidence import Evidence
from meshproof.waiting import eventually

pytestmark = pytest.mark.looks_at("goapi", "speech", "client", "pods", "gateway", "outside")

PROMISED = ("alpine", "goapi", "text-to-speech", "text-to-speech-canary")


def test_every_pod_in_apps_has_a_sidecar(mesh: Mesh, evidence: Evidence) -> None:
    """Every pod in apps is 2/2: its own container and the proxy, both ready."""
    found = mesh.pods(APPS)
    evidence.add("pods", found)
    for workload in PROMISED:
        assert any(pod.name.startswith(f"{workload}-") for pod in found), f"{workload} has no pod"
    for pod in found:
        assert pod.has_proxy, f"pod {pod.name} has no sidecar: its containers are {', '.join(pod.containers)}"
        assert (pod.ready, len(pod.containers)) == (2, 2), f"pod {pod.name} is {pod.ready}/{len(pod.containers)}"


def test_istiod_reports_every_sidecar_as_synced(mesh: Mesh, evidence: Evidence) -> None:
    """Every pod in apps and the gateway is connected to istiod and has accepted all that it was sent."""
    expected = {f"{pod.name}.{pod.namespace}" for pod in mesh.pods(APPS) if pod.has_proxy}
    expected.add(f"{mesh.gateway_pod.name}.istio-system")
    if len(expected) < 2:
        raise InvalidMeasurement("no pod in apps has a sidecar that could be in sync")

    def settled() -> bool:  # a push that is on its way has some seconds to arrive
        states = {state.proxy: state for state in mesh.proxy_sync()}
        missing = expected - states.keys()
        assert not missing, f"not connected to istiod: {', '.join(sorted(missing))}"
        behind = [str(states[proxy]) for proxy in sorted(expected) if not states[proxy].settled]
        assert not behind, f"not in sync: {'; '.join(behind)}"
        evidence.add("proxies", list(states.values()))
        return True

    eventually(settled, timeout=mesh.timeouts.configuration_sync, what="every proxy is in sync with istiod")


def test_a_pod_outside_has_no_sidecar(mesh: Mesh, evidence: Evidence) -> None:
    """In the namespace that asks for no injection, no pod has a proxy."""
    found = mesh.pods(OUTSIDE)
    evidence.add("pods", found)
    assert found, "there is no pod outside to look at"
    for pod in found:
        assert not pod.has_proxy, f"pod {pod.name} outside the mesh has a sidecar"
