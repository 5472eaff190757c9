"""The ingress gateway gets a load-balancer address that answers, and addresses are handed out as a pool should."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from meshproof.errors import InvalidMeasurement
from meshproof.manifests import Manifest
from meshproof.mesh import Mesh
from meshproof.probe import Answered, Request
from meshproof.probe.address import LoadBalancer
from meshproof.probe.arp import forget, who_has
from meshproof.report.evidence import Evidence
from meshproof.waiting import consistently, eventually

pytestmark = [pytest.mark.looks_at("nodes", "addresses", "gateway", "outside"), pytest.mark.changes("addresses")]

GATEWAY = ("istio-system", "istio-ingressgateway")
GOAPI = "goapi.apps.svc.cluster.local"
NAMESPACE = "outside"


def service(name: str, address: str | None = None) -> Manifest:
    """A LoadBalancer Service in front of the plain responder; it asks for one certain address if told to."""
    annotations = {"metallb.io/loadBalancerIPs": address} if address else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": annotations},
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": "responder"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }


def assigned(mesh: Mesh, name: str, namespace: str = NAMESPACE) -> LoadBalancer:
    """The Service, as soon as it has an address."""

    assert _pools(mesh), f"Service {namespace}/{name} cannot get an address: there is no IPAddressPool"

    def look() -> LoadBalancer:
        state = mesh.load_balancer(namespace, name)
        assert state is not None, f"there is no Service {namespace}/{name}"
        assert not state.pending, f"Service {namespace}/{name} is pending: {_why_pending(mesh, state)}"
        return state

    return eventually(
        look, timeout=mesh.timeouts.load_balancer_address, what=f"Service {namespace}/{name} has an address", every=0.2
    )


def _why_pending(mesh: Mesh, state: LoadBalancer | None) -> str:
    """MetalLB's own word for it, or that there is no pool at all, of which MetalLB does not speak."""
    reasons = state.messages("AllocationFailed") if state else []
    if not _pools(mesh):
        return "there is no IPAddressPool"
    return reasons[-1] if reasons else "MetalLB says nothing about it"


def _pools(mesh: Mesh) -> list[str]:
    return [pool["metadata"]["name"] for pool in mesh.cluster.list("IPAddressPool", "metallb-system")]


@contextmanager
def gateway_state(mesh: Mesh) -> Iterator[LoadBalancer]:
    """The gateway's Service, which must be there; without an address the checks fail, with MetalLB's word for it."""
    state = mesh.load_balancer(*GATEWAY)
    if state is None:
        raise InvalidMeasurement("there is no Service istio-system/istio-ingressgateway")
    assert not state.pending, f"the gateway's Service is pending: {_why_pending(mesh, state)}"
    yield state


def test_gateway_has_an_address_of_the_pool(mesh: Mesh, evidence: Evidence) -> None:
    """The gateway's Service went from pending to an address, inside the pool, given by MetalLB's controller: it says so
    in an event, for as long as events are kept, and on the Service."""
    with gateway_state(mesh) as gateway:
        evidence.add("service", gateway)
        evidence.add("pool", str(mesh.pool))
        assert str(gateway.address) in mesh.pool, f"{gateway.address} is not in the pool {mesh.pool}"
        assert gateway.pool, f"MetalLB does not say that {gateway.address} is from a pool of its own"
        silent = gateway.is_silent("metallb-controller", "IPAllocated", since=gateway.given)
        assert not silent, f"no word of MetalLB's controller: {gateway.events or 'no events'}"
    assert "ip-pool" in _pools(mesh), f"the pool ip-pool is gone; pools: {_pools(mesh) or 'none'}"


def test_gateway_address_is_announced_by_a_speaker(mesh: Mesh, evidence: Evidence) -> None:
    """A speaker announces the address on the gateway's node, and says so in an event, for as long as events are kept,
    and in its status."""
    with gateway_state(mesh) as gateway:
        evidence.add("service", gateway)
        nodes = {pod.node for pod in mesh.pods("istio-system") if pod.labels.get("istio") == "ingressgateway"}
        advertisements = mesh.cluster.list("L2Advertisement", "metallb-system")
        evidence.add("advertisements", [item["metadata"]["name"] for item in advertisements])
        assert advertisements, "there is no L2Advertisement: nobody may announce the address"
        silent = gateway.is_silent("metallb-speaker", "nodeAssigned", since=gateway.announced)
        assert not silent, f"no speaker spoke: {gateway.events or 'no events'}"
        assert gateway.announced_by, "no speaker reports that it announces the address"
        assert set(gateway.announced_by) <= nodes, f"announced by {gateway.announced_by}, the gateway is on {nodes}"


def test_gateway_address_answers_arp(mesh: Mesh, evidence: Evidence) -> None:
    """An ARP request for the address is answered, by the node that announces it."""
    with gateway_state(mesh) as gateway:
        answer = who_has(str(gateway.address))
        evidence.add("answer", {"address": gateway.address, "hardware": answer})
        assert answer is not None, f"nobody answers ARP for {gateway.address}"
        hardware = mesh.node_hardware
        evidence.add("nodes", hardware)
        if hardware and gateway.announced_by:
            expected = {hardware[node] for node in gateway.announced_by}
            assert answer in expected, f"{answer} answers for {gateway.address}, announced by {gateway.announced_by}"


def test_a_free_address_does_not_answer_arp(mesh: Mesh, evidence: Evidence) -> None:
    """An address of the pool that no Service has is answered for by nobody, so an answer means something."""
    last = str(mesh.pool.last)
    taken = {
        entry.get("ip")
        for item in mesh.cluster.list("Service")
        for entry in item.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    }
    if last in taken:
        raise InvalidMeasurement(f"{last} is in use; no address of the pool is known to be free", seen=sorted(taken))
    answer = who_has(last)
    evidence.add("answer", {"address": last, "hardware": answer})
    assert answer is None, f"{answer} answers ARP for {last}, which no Service has"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_gateway_answers_from_here(mesh: Mesh, scheme: str, evidence: Evidence) -> None:
    """The gateway answers on both ports from where the tests run; on 443 with the certificate from the Secret."""
    with gateway_state(mesh) as gateway:
        host = f"[{gateway.address}]" if ":" in str(gateway.address) else str(gateway.address)
    forget(str(gateway.address))  # what the kernel remembers would hide that nobody announces the address any more
    # The path is nobody's; only the gateway has to be well, whatever is behind it.
    outcome = mesh.host.send(Request(f"{scheme}://{GOAPI}/", connect_to=host, host="nobody.example"))
    evidence.add("outcome", outcome)
    assert isinstance(outcome, Answered), f"{scheme}://{host}/: {outcome}"
    assert outcome.headers.get("server") == "istio-envoy", (
        f"answered by {outcome.headers.get('server')}, not the gateway"
    )


def test_gateway_answers_on_the_mapped_ports_of_the_host(mesh: Mesh, evidence: Evidence) -> None:
    """The host's ports 80 and 443, where they were free to map, lead to the gateway as its address does."""
    mapped = mesh.bed.network.host_ports if mesh.bed.network else {}
    evidence.add("mapped ports", mapped)
    if not mapped:
        pytest.skip("no port of the host is mapped: both were taken, or the cluster is borrowed")
    for port in mapped:
        scheme = "https" if port == 443 else "http"
        outcome = mesh.host.send(Request(f"{scheme}://{GOAPI}/", connect_to="127.0.0.1", host="nobody.example"))
        evidence.add(f"port {port}", outcome)
        assert isinstance(outcome, Answered), f"the host's port {port}: {outcome}"
        assert outcome.headers.get("server") == "istio-envoy", f"the host's port {port} is answered by somebody else"


def test_second_service_gets_another_address(mesh: Mesh, evidence: Evidence) -> None:
    """A second Service is born pending, gets an address of the pool that is not the gateway's, and answers there."""
    with gateway_state(mesh) as gateway, mesh.temporary([service("second")]) as (made,):
        evidence.add("at birth", made.get("status"))
        assert not made.get("status", {}).get("loadBalancer", {}).get("ingress"), "a Service was born with an address"
        second = assigned(mesh, "second")
        evidence.add("second", second)
        assert str(second.address) in mesh.pool, f"{second.address} is not in the pool {mesh.pool}"
        assert second.address != gateway.address, f"two Services have the address {second.address}"
        forget(str(second.address))

        def answers() -> bool:
            # Anew after a while: of a connection begun before kube-proxy knew the address, no packet gets through.
            outcome = mesh.host.send(Request(f"http://{second.address}/", timeout=2.0))
            assert isinstance(outcome, Answered) and outcome.status == 200, str(outcome)
            return True

        eventually(answers, timeout=mesh.timeouts.load_balancer_address, what=f"{second.address} answers")


def test_freed_address_returns(mesh: Mesh, evidence: Evidence) -> None:
    """The address of a deleted Service is no longer answered for, and the next Service can have it."""
    with mesh.temporary([service("first")]):
        address = str(assigned(mesh, "first").address)
        eventually(lambda: who_has(address), timeout=mesh.timeouts.load_balancer_address, what=f"{address} answers ARP")
    eventually(
        lambda: who_has(address, seconds=0.3) is None,
        timeout=mesh.timeouts.load_balancer_address,
        what=f"nobody answers ARP for the freed {address}",
    )
    with mesh.temporary([service("heir", address)]):
        heir = assigned(mesh, "heir")
        evidence.add("heir", heir)
        assert heir.address == address, f"asked for the freed {address}, got {heir.address}"


def test_exhausted_pool_leaves_a_service_pending_until_it_recovers(mesh: Mesh, evidence: Evidence) -> None:
    """With every address given away, one more Service stays pending with MetalLB's reason, and gets the first freed."""
    taken = sum(
        bool(item.get("status", {}).get("loadBalancer", {}).get("ingress")) for item in mesh.cluster.list("Service")
    )
    free = len(mesh.pool) - taken
    names = [f"filler-{number}" for number in range(free)]
    with ExitStack() as stack:
        fillers = [stack.enter_context(mesh.temporary([service(name)])) for name in names]
        addresses = {str(assigned(mesh, name).address) for name in names}
        evidence.add("addresses given away", addresses)
        assert len(addresses) == free, f"{len(addresses)} addresses for {free} Services"
        with mesh.temporary([service("late")]):

            def refused() -> list[str]:
                state = mesh.load_balancer(NAMESPACE, "late")
                assert state is not None and state.pending, f"got an address from an exhausted pool: {state}"
                return state.messages("AllocationFailed")

            reasons = eventually(refused, timeout=mesh.timeouts.load_balancer_address, what="MetalLB says why")
            evidence.add("MetalLB's reason", reasons)
            assert any("no available IPs" in reason for reason in reasons), f"another reason than exhaustion: {reasons}"
            consistently(lambda: refused() != [], seconds=1, what="the late Service stays pending")
            mesh.cluster.delete(fillers[0])
            late = assigned(mesh, "late")
            evidence.add("after one was freed", late)
            assert late.address in addresses, f"{late.address} was never given away"
