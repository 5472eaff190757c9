"""Whether the cluster's own controllers act: without them no Service gets endpoints, and no pod a node."""

from __future__ import annotations

from meshproof.kube import Cluster, Forbidden
from meshproof.moments import clock, seconds

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
        if name not in _CONTROLLERS or not spec.get("acquireTime") or not spec.get("renewTime"):
            continue
        acquired, renewed = seconds(spec["acquireTime"]), seconds(spec["renewTime"])
        if renewed + spec.get("leaseDurationSeconds", 0) < now or not spec.get("holderIdentity"):
            found.append(f"{name} has not acted since {clock(renewed)}")
        elif acquired >= since:
            found.append(f"{name} did not act until {clock(acquired)}")
    return found
