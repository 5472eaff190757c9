"""Whether the cluster's own controllers act: without them no Service gets endpoints, and no pod a node."""

from __future__ import annotations

from datetime import UTC, datetime

from meshproof.kube import Cluster, Forbidden

__all__ = ["leaderless"]

_CONTROLLERS = ("kube-controller-manager", "kube-scheduler")


def leaderless(cluster: Cluster, since: float, now: float) -> list[str]:
    """Which of them had no leader at some time between `since` and `now` (seconds since 1970), a line each.

    Each process that may lead holds or waits for a Lease, for 15 s after a leader that went without a word. A cluster
    that does not show its Leases has none that we know of. Raises ClusterError.
    """
    try:
        leases = cluster.list("Lease", "kube-system", api_version="coordination.k8s.io/v1")
    except Forbidden:
        return []
    found = []
    for lease in leases:
        name, spec = lease["metadata"]["name"], lease.get("spec") or {}
        acquired, renewed = (_seconds(spec.get(which)) for which in ("acquireTime", "renewTime"))
        if name not in _CONTROLLERS or acquired is None or renewed is None:
            continue
        if renewed + spec.get("leaseDurationSeconds", 0) < now or not spec.get("holderIdentity"):
            found.append(f"{name} has not acted since {_at(renewed)}")
        elif acquired >= since:
            found.append(f"{name} did not act until {_at(acquired)}")
    return found


def _seconds(time: str | None) -> float | None:
    return None if time is None else datetime.fromisoformat(time).timestamp()


def _at(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}Z"
