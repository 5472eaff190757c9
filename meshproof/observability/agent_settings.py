"""The node agents' settings: as they are, other ones for a while; and one agent replaced by its successor."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from meshproof.errors import InvalidMeasurement
from meshproof.kube import Cluster
from meshproof.probe.inventory import Pod, pods
from meshproof.stack.rollout import missing_rollout
from meshproof.waiting import StateNotReached, eventually

__all__ = ["daemon_set", "environment", "replace_agent", "value_of", "with_variable"]

_LABELS = {"agent.datadoghq.com/component": "agent"}
_NAMESPACE = "datadog"
_DAEMON_SET = "datadog-agent"
_KIND, _NAME, _API_VERSION = "DatadogAgent", "datadog", "datadoghq.com/v2alpha1"


def daemon_set(cluster: Cluster) -> dict[str, Any]:
    """The DaemonSet of the node agents. Raises InvalidMeasurement when it is not there."""
    found = cluster.get("DaemonSet", _DAEMON_SET, _NAMESPACE, "apps/v1")
    if found is None:
        raise InvalidMeasurement(f"there is no DaemonSet {_NAMESPACE}/{_DAEMON_SET}, so there are no agents")
    return found


def value_of(found: Mapping[str, Any], name: str) -> str | None:
    """A variable of the agents, in their DaemonSet; None when it is not set."""
    containers = found["spec"]["template"]["spec"]["containers"]
    agent: Mapping[str, Any] = next((it for it in containers if it["name"] == "agent"), {})
    return next((it.get("value") or "" for it in agent.get("env") or [] if it["name"] == name), None)


def with_variable(resource: Mapping[str, Any], name: str, value: str | None) -> dict[str, Any]:
    """The fields of a DatadogAgent that change when the node agents' variable gets that value; None removes it.

    `override.nodeAgent.env` is where it is put if it stands nowhere yet.
    """
    agent: dict[str, Any] = copy.deepcopy(resource["spec"].get("override", {}).get("nodeAgent", {}))
    holders = [it for it in agent.get("containers", {}).values() if _has(it, name)] or [agent]
    for holder in holders:
        listed = {it["name"]: it for it in holder.get("env") or []}  # in its order, and changed in its place
        listed[name] = {"name": name, "value": value}
        holder["env"] = [it for it in listed.values() if value is not None or it["name"] != name]
    return {"spec": {"override": {"nodeAgent": agent}}}


@contextmanager
def environment(cluster: Cluster, name: str, value: str) -> Iterator[None]:
    """Node agents with another value of a variable for the length of the block; afterwards as they were before.

    Raises InvalidMeasurement when the operator or the agents do not follow.
    """
    before = cluster.get(_KIND, _NAME, _NAMESPACE, _API_VERSION)
    if before is None:
        raise InvalidMeasurement(f"there is no {_KIND} {_NAMESPACE}/{_NAME} to be changed")
    old = value_of(daemon_set(cluster), name)
    try:
        cluster.patch(_KIND, _NAME, with_variable(before, name, value), _NAMESPACE, _API_VERSION)
        _wait_for(cluster, name, value)
        yield
    finally:
        cluster.patch(_KIND, _NAME, with_variable(before, name, old), _NAMESPACE, _API_VERSION)
        _wait_for(cluster, name, old)


def replace_agent(cluster: Cluster, agent: Pod) -> Pod:
    """Delete an agent's pod, as an update would, and wait for the one that takes its place on that node.

    Raises InvalidMeasurement when none comes.
    """
    cluster.delete_object("Pod", agent.name, agent.namespace, "v1", wait=False)

    def successor() -> Pod | None:
        running = [pod for pod in pods(cluster, agent.namespace, _LABELS) if pod.node == agent.node]
        return next((pod for pod in running if pod.is_ready and pod.name != agent.name), None)

    what = f"an agent takes the place of {agent.name}"
    try:
        found = eventually(successor, timeout=cluster.timeouts.rollout, what=what)
    except StateNotReached as error:
        raise InvalidMeasurement(error.problem, seen=error.seen) from error
    assert found is not None
    return found


def _wait_for(cluster: Cluster, name: str, value: str | None) -> None:
    def look() -> bool:
        found = daemon_set(cluster)
        assert value_of(found, name) == value, f"the operator has not changed {name} in the DaemonSet"
        missing = missing_rollout(found)
        assert missing is None, missing
        leaving = [pod.name for pod in pods(cluster, _NAMESPACE, _LABELS) if pod.leaving]
        assert not leaving, f"still ending: {', '.join(leaving)}"
        return True

    try:
        eventually(look, timeout=cluster.timeouts.rollout, what=f"the agents run with the new {name}")
    except StateNotReached as error:
        raise InvalidMeasurement(error.problem, seen=error.seen) from error


def _has(holder: Mapping[str, Any], name: str) -> bool:
    return any(it["name"] == name for it in holder.get("env") or [])
