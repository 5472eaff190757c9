"""Components are restarted on a real cluster, and waited for."""

from __future__ import annotations

import time

from meshproof.errors import InvalidMeasurement
from meshproof.kube import Cluster
from meshproof.manifests import Manifest
from meshproof.mend.undoing import restart as roll
from meshproof.nightly.components import Component, How
from meshproof.nightly.soak import Restart
from meshproof.stack.rollout import missing_rollout
from meshproof.waiting import StateNotReached, eventually

__all__ = ["restart"]


def restart(cluster: Cluster, component: Component) -> Restart:
    """Restart it, and wait until every pod of it is another one and ready.

    Raises InvalidMeasurement when it is not there, or does not come back.
    """
    before = _pods(cluster, _workload(cluster, component))
    if not before:
        raise InvalidMeasurement(f"{component.name} has no pod that could be restarted")
    began = time.time_ns() // 1000
    if component.how is How.ROLL:
        roll(cluster, component.reference)
    else:
        for name in before:
            cluster.delete_object("Pod", name, component.namespace, "v1", wait=False)

    def look() -> bool:
        workload = _workload(cluster, component)
        missing = missing_rollout(workload)
        assert missing is None, missing
        old = before & _pods(cluster, workload)
        assert not old, f"still there: {', '.join(sorted(old))}"
        return True

    try:
        eventually(look, timeout=cluster.timeouts.rollout, what=f"{component.name} is restarted", every=0.5)
    except StateNotReached as error:
        raise InvalidMeasurement(error.problem, seen=error.seen) from error
    return Restart(component.name, began, time.time_ns() // 1000, component.may_lose)


def _workload(cluster: Cluster, component: Component) -> Manifest:
    found = cluster.get(*component.reference.address)
    if found is None:
        raise InvalidMeasurement(f"there is no {component.reference}")
    return found


def _pods(cluster: Cluster, workload: Manifest) -> frozenset[str]:
    """The names of its pods, those on their way out included."""
    labels = ",".join(f"{name}={value}" for name, value in workload["spec"]["selector"]["matchLabels"].items())
    found = cluster.list("Pod", workload["metadata"]["namespace"], labels=labels, api_version="v1")
    return frozenset(pod["metadata"]["name"] for pod in found)
