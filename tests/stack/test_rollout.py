from __future__ import annotations

from typing import Any

import pytest
from small_cluster import SmallCluster, workload

from meshproof.stack import Hopeless, NotYet, StackContext
from meshproof.stack.rollout import blocked, expect_established, expect_rolled_out, missing_rollout


def waiting_pod(reason: str) -> dict[str, Any]:
    status = {"name": "web", "image": "web:1", "state": {"waiting": {"reason": reason}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web"}},
        "status": {"containerStatuses": [status]},
    }


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_a_workload_with_all_pods_available_is_rolled_out(kind: str) -> None:
    assert missing_rollout(workload(kind, wanted=3, available=3)) is None


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_a_pod_that_is_not_available_is_missing(kind: str) -> None:
    assert missing_rollout(workload(kind, wanted=3, available=2)) == "2 of 3 pods available"


def test_a_status_from_before_the_last_change_does_not_count() -> None:
    assert missing_rollout(workload(generation=2)) == "not seen by its controller"


def test_old_pods_still_have_to_go() -> None:
    rolling = workload()
    rolling["status"]["replicas"] = 2
    assert missing_rollout(rolling) == "1 old pods still there"


def test_a_daemon_set_without_nodes_is_not_rolled_out() -> None:
    assert missing_rollout(workload("DaemonSet", wanted=0, available=0)) == "scheduled on no node"


def test_a_missing_image_is_final_only_where_nothing_can_be_pulled() -> None:
    pods = [waiting_pod("ImagePullBackOff")]
    assert blocked(pods, can_pull=True) is None
    assert blocked(pods, can_pull=False) == "pod web-1: ImagePullBackOff for web:1, which is not in the node"


def test_a_wrong_image_name_is_always_final() -> None:
    assert blocked([waiting_pod("InvalidImageName")], can_pull=True) is not None


def test_a_container_that_is_being_created_may_still_come() -> None:
    assert blocked([waiting_pod("ContainerCreating")], can_pull=False) is None


def test_waiting_tells_what_is_missing(small: SmallCluster, context: StackContext) -> None:
    small.has(workload(available=0))
    with pytest.raises(NotYet, match="Deployment shop/web: 0 of 1 pods available"):
        expect_rolled_out(context.cluster, workload(), can_pull=False)


def test_waiting_ends_when_the_image_will_not_come(small: SmallCluster, context: StackContext) -> None:
    small.has(workload(available=0), waiting_pod("ErrImagePull"))
    with pytest.raises(Hopeless, match="ErrImagePull for web:1"):
        expect_rolled_out(context.cluster, workload(), can_pull=False)


def test_a_workload_that_is_not_there_is_waited_for(context: StackContext) -> None:
    with pytest.raises(NotYet, match="does not exist"):
        expect_rolled_out(context.cluster, workload(), can_pull=False)


def test_a_crd_has_to_be_established(small: SmallCluster, context: StackContext) -> None:
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "books.example.com"},
    }
    small.has({**crd, "status": {"conditions": [{"type": "Established", "status": "False"}]}})
    with pytest.raises(NotYet, match=r"books\.example\.com"):
        expect_established(context.cluster, [crd])
    small.has({**crd, "status": {"conditions": [{"type": "Established", "status": "True"}]}})
    expect_established(context.cluster, [crd])
