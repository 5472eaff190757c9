"""Whether controllers act is found in their Leases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from meshproof.kube import Cluster, Forbidden
from meshproof.probe.controllers import leaderless

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()


def lease(name: str, acquired: float = -600, renewed: float = 9, holder: str = "node_1") -> dict[str, Any]:
    def at(seconds: float) -> str:
        return datetime.fromtimestamp(NOON + seconds, UTC).isoformat(timespec="microseconds")

    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "acquireTime": at(acquired), "renewTime": at(renewed)}
    return {"metadata": {"name": name, "namespace": "kube-system"}, "spec": spec}


def found(*leases: dict[str, Any], since: float = 0, now: float = 10) -> list[str]:
    class Told:
        def list(self, kind: str, namespace: str, *, api_version: str) -> list[dict[str, Any]]:
            assert (kind, namespace, api_version) == ("Lease", "kube-system", "coordination.k8s.io/v1")
            return [*leases]

    return leaderless(cast("Cluster", Told()), NOON + since, NOON + now)


@pytest.mark.parametrize("name", ["kube-controller-manager", "kube-scheduler"])
def test_a_leader_that_came_meanwhile_did_not_act_before(name: str) -> None:
    assert found(lease(name)) == []
    assert found(lease(name, acquired=-0.1)) == []
    assert found(lease(name, acquired=3.2)) == [f"{name} did not act until 12:00:03Z"]


def test_a_leader_that_is_silent_for_longer_than_its_lease_does_not_act() -> None:
    assert found(lease("kube-scheduler", renewed=-4)) == []
    assert found(lease("kube-scheduler", renewed=-6)) == ["kube-scheduler has not acted since 11:59:54Z"]


def test_a_leader_that_went_has_left_its_lease_to_nobody() -> None:
    assert found(lease("kube-scheduler", holder="")) == ["kube-scheduler has not acted since 12:00:09Z"]


def test_leases_of_others_and_those_that_were_never_held_are_left_out() -> None:
    never = {"metadata": {"name": "kube-scheduler"}, "spec": {"holderIdentity": "node_1"}}
    assert found(lease("apiserver-abc", acquired=3, renewed=-60), never) == []


def test_a_cluster_that_does_not_show_its_leases_has_none() -> None:
    class Closed:
        def list(self, *_: object, **__: object) -> list[dict[str, Any]]:
            raise Forbidden("may not list Lease", code=403, message="forbidden")

    assert leaderless(cast("Cluster", Closed()), NOON, NOON) == []
