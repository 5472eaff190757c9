"""Weights in a VirtualService and in a proxy's routes."""

from __future__ import annotations

from typing import Any

from meshproof.load.routes import promised_weights, weights_held

SERVICE = "speech.apps.svc.cluster.local"


def cluster(subset: str, weight: int | None, port: int = 80, service: str = SERVICE) -> dict[str, Any]:
    return {"name": f"outbound|{port}|{subset}|{service}", **({} if weight is None else {"weight": weight})}


def dump(*actions: dict[str, Any]) -> list[dict[str, Any]]:
    """In the shape of Envoy's dynamic_route_configs."""
    routes = [{"match": {"prefix": "/"}, "route": action} for action in actions]
    return [{"route_config": {"name": "80", "virtual_hosts": [{"name": "speech", "routes": routes}]}}]


def test_weighted_clusters_are_read_by_subset() -> None:
    held = dump({"weighted_clusters": {"clusters": [cluster("v1", 70), cluster("v2", 30)], "total_weight": 100}})
    assert weights_held(held, SERVICE) == [{"v1": 70, "v2": 30}]


def test_a_route_to_one_cluster_has_all_the_weight() -> None:
    assert weights_held(dump({"cluster": f"outbound|80||{SERVICE}"}), SERVICE) == [{"": 100}]
    assert weights_held(dump({"weighted_clusters": {"clusters": [cluster("v2", None)]}}), SERVICE) == [{"v2": 100}]


def test_other_services_and_ports_are_not_read() -> None:
    other = {"weighted_clusters": {"clusters": [cluster("v1", 1, 8080), cluster("v2", 99, service="other.local")]}}
    assert weights_held(dump(other, {"cluster": "BlackHoleCluster"}), SERVICE) == []


def test_two_routes_that_disagree_are_both_told() -> None:
    one = {"weighted_clusters": {"clusters": [cluster("v1", 70), cluster("v2", 30)]}}
    two = {"weighted_clusters": {"clusters": [cluster("v1", 50), cluster("v2", 50)]}}
    assert weights_held(dump(one, two, one), SERVICE) == [{"v1": 70, "v2": 30}, {"v1": 50, "v2": 50}]


def test_the_promise_is_read_from_the_virtual_service() -> None:
    def service(*weights: int | None) -> dict[str, Any]:
        route = [
            {"destination": {"host": SERVICE, "subset": f"v{number}"}} | ({} if weight is None else {"weight": weight})
            for number, weight in enumerate(weights, 1)
        ]
        return {"spec": {"http": [{"route": route}]}}

    assert promised_weights(service(70, 30)) == {"v1": 70, "v2": 30}
    assert promised_weights(service(0, 100)) == {"v2": 100}
    assert promised_weights(service(None)) == {"v1": 100}
