from __future__ import annotations

from typing import Any

from small_cluster import SmallCluster

from meshproof.stack import StackContext
from meshproof.stack.evidence import describe_pod, namespace_evidence


def pod(*containers: dict[str, Any], init: tuple[dict[str, Any], ...] = (), **parts: Any) -> dict[str, Any]:
    status = {"phase": "Pending", "containerStatuses": list(containers), "initContainerStatuses": list(init)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop"},
        "spec": parts.get("spec", {}),
        "status": {**status, **parts.get("status", {})},
    }


def container(name: str = "web", *, ready: bool = False, **state: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "ready": ready, "state": state}


def test_a_container_that_is_not_ready_is_shown_with_its_reason() -> None:
    line = describe_pod(pod(container(waiting={"reason": "ErrImagePull", "message": "no such host"})))
    assert line == "web-1: Pending, 0 of 1 containers ready; web: waiting, ErrImagePull, no such host"


def test_restarts_and_exit_codes_are_shown() -> None:
    crashed = {**container(terminated={"reason": "Error", "exitCode": 3}), "restartCount": 4}
    assert describe_pod(pod(crashed)).endswith("web: terminated, Error, exit code 3, 4 restarts")


def test_an_init_container_that_did_its_work_is_not_counted() -> None:
    done = container("init", terminated={"exitCode": 0})
    assert "1 of 1 containers ready" in describe_pod(pod(container(ready=True), init=(done,)))


def test_an_init_container_that_failed_is_shown() -> None:
    failed = container("init", terminated={"exitCode": 1})
    assert "init: terminated, exit code 1" in describe_pod(pod(init=(failed,)))


def test_a_native_sidecar_counts_as_a_container() -> None:
    spec = {"initContainers": [{"name": "proxy", "restartPolicy": "Always"}]}
    shown = describe_pod(pod(container(ready=True), init=(container("proxy", running={}),), spec=spec))
    assert "1 of 2 containers ready; proxy: running" in shown


def test_a_pod_that_fits_on_no_node_says_so() -> None:
    unschedulable = {"type": "PodScheduled", "status": "False", "message": "Insufficient cpu"}
    assert "not scheduled: Insufficient cpu" in describe_pod(pod(status={"conditions": [unschedulable]}))


def test_a_namespace_shows_pods_and_warnings_only(small: SmallCluster, context: StackContext) -> None:
    for name, kind in (("one", "Warning"), ("two", "Normal")):
        small.has(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": "shop"},
                "type": kind,
                "reason": "Unhealthy",
                "message": f"probe {name} failed",
                "involvedObject": {"kind": "Pod", "name": "web-1"},
                "count": 3,
            }
        )
    small.has(pod(container(waiting={"reason": "ErrImagePull"})))
    evidence = namespace_evidence(context.cluster, "shop")
    assert evidence["pods in shop"].startswith("web-1: Pending")
    assert evidence["last warnings in shop"] == "Pod web-1: Unhealthy: probe one failed (3 times)"


def test_an_empty_namespace_is_shown_as_empty(context: StackContext) -> None:
    assert namespace_evidence(context.cluster, "shop") == {"pods in shop": "none"}
