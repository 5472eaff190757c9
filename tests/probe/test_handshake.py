"""Routes cover every port in every way, and only the right kind of refusal counts as one."""

from __future__ import annotations

from typing import Any

import pytest

from meshproof.probe.handshake import Way, _is_refusal, _same_port, _to_others, is_refused_by_policy, routes_to
from meshproof.probe.inventory import pods_of, workloads
from meshproof.probe.outcome import Answered, Outcome, Reason, Refused
from tests.probe.listing import Listing


def deployment(name: str, port: int, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": name, "containers": [{"ports": [{"containerPort": port}]}]},
            },
        },
    }


def pod(name: str, ip: str, *, ready: bool = True, sidecar: bool = True, **labels: str) -> dict[str, Any]:
    proxy = [{"name": "istio-proxy", "restartPolicy": "Always"}] if sidecar else []
    statuses = [{"name": "app", "ready": ready, "restartCount": 1}]
    return {
        "metadata": {"name": name, "namespace": "apps", "labels": labels},
        "spec": {"containers": [{"name": "app"}], "initContainers": [{"name": "init"}, *proxy]},
        "status": {
            "podIP": ip,
            "phase": "Running",
            "containerStatuses": statuses,
            "initContainerStatuses": [{"name": "istio-proxy", "ready": True}, {"name": "init", "ready": True}],
        },
    }


def service(name: str, port: int, **selector: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"selector": selector, "ports": [{"port": port}]}}


@pytest.fixture
def cluster() -> Any:
    return Listing(
        Deployment=[deployment("v1", 8080, app="s", version="v1"), deployment("v2", 8081, app="s", version="v2")],
        Pod=[pod("v1-a", "10.0.0.1", app="s", version="v1"), pod("v2-a", "10.0.0.2", app="s", version="v2")],
        Service=[service("speech", 80, app="s"), service("other", 81, app="o"), service("bare", 82)],
    )


def test_every_pod_and_every_service_in_front_of_it_is_a_route(cluster: Any) -> None:
    routes = {(r.way, r.address, r.port): r.pods for r in routes_to(cluster, workloads(cluster, "apps"))}
    assert routes == {
        (Way.POD, "10.0.0.1", 8080): ("v1-a",),
        (Way.POD, "10.0.0.2", 8081): ("v2-a",),
        (Way.SERVICE, "speech.apps.svc.cluster.local", 80): ("v1-a", "v2-a"),
    }


def test_a_client_is_not_sent_to_itself(cluster: Any) -> None:
    class FromPod:
        pod = "v1-a"

    routes = routes_to(cluster, workloads(cluster, "apps"))
    kept = {r.address for r in _to_others(FromPod(), routes)}  # type: ignore[arg-type]
    assert kept == {"10.0.0.2", "speech.apps.svc.cluster.local"}


def test_pods_count_native_sidecars_and_not_init_containers(cluster: Any) -> None:
    (first, _) = workloads(cluster, "apps")
    (found,) = pods_of(cluster, first)
    assert (found.containers, found.ready, found.restarts) == (("istio-proxy", "app"), 2, 1)
    assert found.has_proxy and found.is_ready
    assert first.identity == "spiffe://cluster.local/ns/apps/sa/v1"


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (Refused(Reason.RESET, "reset", 0.1), True),
        (Refused(Reason.RESET_IN_HANDSHAKE, "reset", 0.1), True),
        (Refused(Reason.DNS, "no such name", 0.1), False),
        (Refused(Reason.TIMEOUT, "late", 0.1), False),
        (Refused(Reason.CONNECTION_REFUSED, "nobody listens", 0.1), False),
        (Answered(503, {}, b"", 0.1), False),
        (Answered(200, {}, b"", 0.1), False),
    ],
)
def test_only_a_reset_is_a_refusal_by_policy(outcome: Outcome, counts: bool) -> None:
    assert is_refused_by_policy(outcome) is counts


def test_a_refusal_in_the_log_is_known_by_flag_details_and_the_clients_port() -> None:
    entry = {
        "response_flags": "NR",
        "response_code_details": None,
        "connection_termination_details": "filter_chain_not_found",
        "downstream_remote_address": "10.0.0.9:43104",
    }
    assert _is_refusal(entry)
    assert not _is_refusal({**entry, "response_flags": "UF"})
    assert not _is_refusal({**entry, "connection_termination_details": "route_not_found"})
    assert _same_port(entry, Refused(Reason.RESET, "", 0.1, local="10.0.0.9:43104"))
    assert not _same_port(entry, Refused(Reason.RESET, "", 0.1, local="10.0.0.9:43105"))
    assert not _same_port(entry, Refused(Reason.RESET, "", 0.1))
