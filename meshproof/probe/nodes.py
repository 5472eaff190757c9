"""Whether a node is in trouble: what runs on one that has no room left measures nothing."""

from __future__ import annotations

from collections.abc import Iterator
from math import floor
from typing import Any

from meshproof.kube import ApiError, Cluster
from meshproof.moments import clock, seconds

__all__ = ["LITTLE_ROOM", "troubled"]

LITTLE_ROOM = 100_000_000
"""Bytes. With less on its disk a node cannot be relied on: a log file alone grows to 10 MB before it is replaced."""
_PRESSURES = ("DiskPressure", "MemoryPressure", "PIDPressure")


def troubled(cluster: Cluster, since: float) -> list[str]:
    """What ails nodes, a line each: pressure and little room at any time, not being ready if that changed since then.

    `since` is in seconds since 1970; Kubernetes tells times in whole seconds. Raises ClusterError.
    """
    nodes = cluster.list("Node", api_version="v1")
    return [words for node in nodes for words in (*_by_conditions(node, floor(since)), *_by_room(cluster, node))]


def _by_conditions(node: dict[str, Any], since: int) -> Iterator[str]:
    name = f"node {node['metadata']['name']}"
    for condition in node.get("status", {}).get("conditions", []):
        changed = seconds(condition["lastTransitionTime"])
        at, lately = clock(changed), changed >= since
        kind, holds = condition["type"], condition["status"] == "True"
        if kind in _PRESSURES and holds:
            yield f"{name} has {kind} since {at} ({condition.get('message', '')})"
        elif kind in _PRESSURES and lately:
            yield f"{name} had {kind} until {at}"
        elif kind == "Ready" and lately:
            yield f"{name} was not ready until {at}" if holds else f"{name} is not ready since {at}"


def _by_room(cluster: Cluster, node: dict[str, Any]) -> Iterator[str]:
    name = node["metadata"]["name"]
    try:
        disk = cluster.node_stats(name).get("node", {}).get("fs", {})
    except ApiError:  # not ours to ask, or no kubelet behind the node
        return
    room, files = disk.get("availableBytes"), disk.get("inodesFree")
    if room is not None and room < LITTLE_ROOM:
        yield f"node {name} has {room / 1e6:.0f} MB left on its disk"
    if files == 0:
        yield f"node {name} has no room for another file on its disk"
