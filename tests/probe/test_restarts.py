"""Restarts are found in what Kubernetes tells of pods, in whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from meshproof.kube import Cluster
from meshproof.probe.restarts import restarted

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()


def time_of(seconds: int) -> str:
    return datetime.fromtimestamp(NOON + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(
    name: str = "goapi-1", created: int = -100, labels: dict[str, str] | None = None, **status: Any
) -> dict[str, Any]:
    metadata = {"namespace": "apps", "name": name, "creationTimestamp": time_of(created), "labels": labels or {}}
    return {"metadata": metadata, "status": status}


def container(restarts: int, state: dict[str, Any], last: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": "app", "restartCount": restarts, "state": state, "lastState": last or {}}


def found(*pods: dict[str, Any], since: float = NOON + 0.4, **other: Any) -> list[str]:
    class Told:
        def list(self, kind: str, namespace: str, *, api_version: str) -> list[dict[str, Any]]:
            assert (kind, api_version) == ("Pod", "v1")
            return [it for it in pods if it["metadata"]["namespace"] == namespace]

    return restarted(cast("Cluster", Told()), ["apps", "datadog"], since, **other)


def test_pods_that_stay_are_no_restart() -> None:
    running = container(0, {"running": {"startedAt": time_of(-90)}})
    long_ago = container(3, {"running": {"startedAt": time_of(-50)}})
    assert found(pod(containerStatuses=[running, long_ago])) == []


def test_a_pod_that_came() -> None:
    assert found(pod(created=2)) == ["pod apps/goapi-1 was created at 12:00:02Z"]


def test_the_second_in_which_a_measurement_began_counts() -> None:
    assert found(pod(created=-1)) == []
    assert found(pod(created=0)) != []
    assert found(pod(created=0), apart_from=[(NOON + 0.9, NOON + 2)]) == []


def test_a_pod_that_goes_was_deleted_when_its_grace_began() -> None:
    going = pod()
    going["metadata"] |= {"deletionTimestamp": time_of(33), "deletionGracePeriodSeconds": 30}
    assert found(going) == ["pod apps/goapi-1 was deleted at 12:00:03Z"]
    assert found(going, since=NOON + 4.5) == []


@pytest.mark.parametrize("kind", ["containerStatuses", "initContainerStatuses"])
def test_a_container_that_was_restarted(kind: str) -> None:
    told = found(pod(**{kind: [container(1, {"running": {"startedAt": time_of(5)}})]}))
    assert told == ["container app of pod apps/goapi-1 was restarted at 12:00:05Z"]


def test_a_container_that_ended_and_is_not_back() -> None:
    ended = {"terminated": {"finishedAt": time_of(6), "reason": "OOMKilled"}}
    away = container(2, {"waiting": {"reason": "CrashLoopBackOff"}}, ended)
    assert found(pod(containerStatuses=[away])) == ["container app of pod apps/goapi-1 ended (OOMKilled) at 12:00:06Z"]
    assert found(pod(containerStatuses=[container(0, {"waiting": {}}, ended)])) == []


def test_pods_of_checks_and_periods_of_checks_are_left_out() -> None:
    assert found(pod(created=2, labels={"meshproof.dev/session": "s"})) == []
    assert found(pod(created=2), pod("b", created=9), apart_from=[(NOON + 1, NOON + 3)]) == [
        "pod apps/b was created at 12:00:09Z"
    ]


@pytest.mark.parametrize(("owner", "counts"), [("Job", False), ("ReplicaSet", True)])
def test_pods_of_jobs_come_and_go(owner: str, counts: bool) -> None:
    owned = pod(created=2)
    owned["metadata"]["ownerReferences"] = [{"kind": owner}]
    assert bool(found(owned)) is counts


def test_what_happened_first_is_told_first() -> None:
    assert [line.split()[1] for line in found(pod("b", created=9), pod("a", created=4))] == ["apps/a", "apps/b"]
