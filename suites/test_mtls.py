"""mTLS is enforced: whoever has no certificate of the mesh is refused, by the target's own proxy, and is told so.

All vantages ask all targets in one measurement. Each refusal stands between two answers: the same targets answer a
client with a sidecar before and after, and the refused client is answered elsewhere before and after.
"""

from __future__ import annotations

import pytest

from meshproof.errors import InvalidMeasurement
from meshproof.mesh import APPS, Mesh
from meshproof.probe import Answered, MtlsMode
from meshproof.probe.handshake import Handshakes, Route, Way, is_refused_by_policy, measure
from meshproof.probe.inventory import Pod, Workload
from meshproof.report.evidence import Evidence

pytestmark = pytest.mark.looks_at("mtls", "goapi", "speech", "client", "outside")

WORKLOADS = ("alpine", "goapi", "text-to-speech", "text-to-speech-canary")
CLIENT_IDENTITY = "spiffe://cluster.local/ns/apps/sa/alpine"
ELSEWHERE = Route(Way.SERVICE, "responder.outside.svc.cluster.local", 5000, ())


@pytest.fixture(scope="module")
def handshakes(mesh: Mesh) -> Handshakes:
    """One measurement for all tests here."""
    return measure(
        mesh.cluster,
        mesh.workloads(),
        allowed=mesh.inside,
        denied=[mesh.outside, mesh.past_the_sidecar],
        control=(mesh.outside, ELSEWHERE),
        log_line=mesh.timeouts.log_line,
    )


def target(mesh: Mesh, name: str) -> tuple[Workload, tuple[Pod, ...]]:
    """A workload with at least one ready pod; a dead target would refuse everybody and prove nothing."""
    workload = next((w for w in mesh.workloads() if w.name == name), None)
    if workload is None:
        raise InvalidMeasurement(f"there is no workload {name}", seen=[w.name for w in mesh.workloads()])
    pods = tuple(pod for pod in mesh.pods_of(workload) if pod.is_ready)
    if not pods:
        raise InvalidMeasurement(f"no pod of {name} is ready, so a refusal would prove nothing")
    return workload, pods


def test_no_workload_is_left_out(mesh: Mesh, evidence: Evidence) -> None:
    """The tests here cover every workload that runs in apps."""
    running = {workload.name for workload in mesh.workloads()}
    evidence.add("workloads", running)
    assert running == set(WORKLOADS), f"running in {APPS}: {sorted(running)}; tested: {sorted(WORKLOADS)}"


@pytest.mark.parametrize("name", WORKLOADS)
def test_client_with_a_sidecar_is_answered(mesh: Mesh, handshakes: Handshakes, name: str, evidence: Evidence) -> None:
    """A client with a sidecar is answered, over TLS, and both sides show the certificate that they should."""
    workload, pods = target(mesh, name)
    attempts = handshakes.of([*handshakes.before, *handshakes.after], pods)
    evidence.add("attempts", attempts)
    assert attempts, f"{name} is behind no Service"
    servers = {w.identity for w in mesh.workloads() for a in attempts if handshakes.of([a], mesh.pods_of(w))}
    for attempt in attempts:
        assert isinstance(attempt.outcome, Answered), f"{attempt}"
        assert attempt.outcome.status == 200, f"{attempt}"
        assert attempt.entries, f"no proxy in front of {name} logged the request: {attempt}"
        for pod, entry in attempt.entries:
            assert entry["downstream_tls_version"], f"{attempt} came to {pod} without TLS"
            assert entry["downstream_peer_uri_san"] == CLIENT_IDENTITY, (
                f"{pod} saw a client with the identity {entry['downstream_peer_uri_san']}, not {CLIENT_IDENTITY}"
            )
            assert entry["downstream_local_uri_san"] in servers, (
                f"{pod} showed the identity {entry['downstream_local_uri_san']}, not {workload.identity}"
            )


@pytest.mark.parametrize("name", WORKLOADS)
def test_client_without_a_sidecar_is_refused(mesh: Mesh, handshakes: Handshakes, name: str, evidence: Evidence) -> None:
    """Plaintext, to the Service or straight to the pod, is reset by the target's proxy, which logs that it did so."""
    _, pods = target(mesh, name)
    control, denied = handshakes.control, handshakes.of(handshakes.denied, pods)
    evidence.add("denied", denied)
    evidence.add("the same client elsewhere, before and after", control)
    for attempt in control:
        if not isinstance(attempt.outcome, Answered):
            raise InvalidMeasurement("the client outside is not answered by a target outside", seen=attempt)
    assert {attempt.route.way for attempt in denied} >= {Way.POD}, f"{name} was not asked at its pods' addresses"
    for attempt in denied:
        assert not isinstance(attempt.outcome, Answered), f"plaintext was answered: {attempt}"
        if not is_refused_by_policy(attempt.outcome):
            raise InvalidMeasurement("a refusal of the wrong kind: not a reset by the target's proxy", seen=attempt)
        assert attempt.entries, f"reset, but no proxy of the target logged a refusal of this connection: {attempt}"
    for attempt in handshakes.of([*handshakes.before, *handshakes.after], pods):
        if not isinstance(attempt.outcome, Answered):
            raise InvalidMeasurement("the target does not answer a client with a sidecar either", seen=attempt)


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_port_demands_a_certificate(mesh: Mesh, handshakes: Handshakes, name: str, evidence: Evidence) -> None:
    """No port of the sidecar, declared or not, is configured to accept a connection without a client certificate."""
    workload, pods = target(mesh, name)
    for pod in pods:
        chains = handshakes.chains.get(pod.name)
        assert chains, f"pod {pod.name} has no sidecar that could demand anything"
        evidence.add(pod.name, chains)
        ports = {*workload.ports, *(chain.port for chain in chains if chain.port), 1}  # 1: a port that nobody declared
        modes = {port: handshakes.mode(pod.name, port) for port in sorted(ports)}
        lax = {port: mode.value for port, mode in modes.items() if mode is not MtlsMode.STRICT}
        assert not lax, f"{pod.name} accepts plaintext on {lax}"


@pytest.mark.parametrize("name", ["goapi", "text-to-speech", "alpine"])
def test_client_sidecar_is_told_to_use_its_certificate(mesh: Mesh, name: str, evidence: Evidence) -> None:
    """The client's proxy holds TLS with the mesh's certificate for every cluster that leads to the Service."""
    client = mesh.proxy(mesh.a_pod(APPS, "alpine"))
    pattern = rf"outbound\|.*\|{name}\.apps\.svc\.cluster\.local"
    clusters = [item["cluster"] for item in client.config_dump("dynamic_active_clusters", name_regex=pattern)]
    evidence.add("clusters", clusters)
    assert clusters, f"the client's proxy knows no cluster for {name}"
    for cluster in clusters:
        sockets = [cluster.get("transport_socket"), *cluster.get("transport_socket_matches", [])]
        assert "UpstreamTlsContext" in str(sockets), f"{cluster['name']} is told to send plaintext"
