"""Trouble of nodes is found in their conditions and in what their kubelets measure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from meshproof.kube import Cluster, NotFound
from meshproof.probe.nodes import LITTLE_ROOM, troubled

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()
ROOM = {"availableBytes": LITTLE_ROOM, "inodesFree": 1}


def condition(kind: str, status: str, changed: int, **other: str) -> dict[str, str]:
    at = datetime.fromtimestamp(NOON + changed, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": kind, "status": status, "lastTransitionTime": at, **other}


def found(*conditions: dict[str, str], fs: dict[str, int] | None = ROOM, since: float = NOON + 0.4) -> list[str]:
    class Told:
        def list(self, kind: str, *, api_version: str) -> list[dict[str, Any]]:
            assert (kind, api_version) == ("Node", "v1")
            return [{"metadata": {"name": "worker"}, "status": {"conditions": list(conditions)}}]

        def node_stats(self, node: str) -> dict[str, Any]:
            if fs is None:
                raise NotFound("there is no kubelet", code=404, message="not found")
            return {"node": {"fs": fs}}

    return troubled(cast("Cluster", Told()), since)


def test_a_node_that_is_well() -> None:
    assert found(condition("DiskPressure", "False", -90), condition("Ready", "True", -80)) == []


@pytest.mark.parametrize("kind", ["DiskPressure", "MemoryPressure", "PIDPressure"])
@pytest.mark.parametrize("changed", [-90, 7])
def test_pressure_counts_however_long_it_has_lasted(kind: str, changed: int) -> None:
    (told,) = found(condition(kind, "True", changed, message="no room"))
    assert told.startswith(f"node worker has {kind} since ")
    assert told.endswith(" (no room)")


def test_pressure_that_is_over_counts_if_it_was_there_meanwhile() -> None:
    assert found(condition("DiskPressure", "False", 7)) == ["node worker had DiskPressure until 12:00:07Z"]
    assert found(condition("DiskPressure", "False", 0)) != [], "times are told in whole seconds"
    assert found(condition("DiskPressure", "False", -1)) == []


def test_readiness_counts_when_it_changed_meanwhile() -> None:
    """A node that was never ready is for the checks to find."""
    assert found(condition("Ready", "False", -1)) == []
    assert found(condition("Ready", "Unknown", 7)) == ["node worker is not ready since 12:00:07Z"]
    assert found(condition("Ready", "True", 7)) == ["node worker was not ready until 12:00:07Z"]


def test_a_disk_with_little_room() -> None:
    assert found(fs={**ROOM, "availableBytes": 12_345_678}) == ["node worker has 12 MB left on its disk"]
    assert found(fs={**ROOM, "inodesFree": 0}) == ["node worker has no room for another file on its disk"]


def test_a_node_without_a_kubelet_is_judged_by_its_conditions() -> None:
    assert found(condition("DiskPressure", "True", 7), fs=None) != []
    assert found(fs=None) == []
