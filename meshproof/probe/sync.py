"""What istiod says about the configuration that it sent to each proxy."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from meshproof.errors import InvalidMeasurement
from meshproof.kube import Cluster, ClusterError
from meshproof.waiting import eventually

__all__ = ["ProxySync", "Sync", "proxy_sync", "wait_until_synced"]

# Part of the JSON names in istiod's /debug/syncz, pilot/pkg/xds/debug.go, SyncStatus.
_KINDS = {"cds": "cluster", "lds": "listener", "rds": "route", "eds": "endpoint"}
# istiod answers debug questions that come from its own pod without asking for a token.
_MONITORING_PORT = 15014
_TYPES = {"cds": "Cluster", "lds": "Listener", "rds": "RouteConfiguration", "eds": "ClusterLoadAssignment"}


class Sync(StrEnum):
    """Where one kind of configuration stands at one proxy."""

    SYNCED = "synced"
    STALE = "stale"
    """Sent and not acknowledged yet."""
    REJECTED = "rejected"
    """The proxy said no; see `errors`."""
    NOT_SENT = "not sent"
    """Nothing to send, such as routes for a gateway without any."""


@dataclass(frozen=True)
class ProxySync:
    """One proxy, "POD.NAMESPACE", as one istiod sees it. `errors` are the proxy's own words, by kind."""

    proxy: str
    istiod: str
    cds: Sync
    lds: Sync
    rds: Sync
    eds: Sync
    version: str = ""
    errors: Mapping[str, str] | None = None

    @property
    def pod(self) -> str:
        """The pod's name."""
        return self.proxy.rpartition(".")[0]

    @property
    def namespace(self) -> str:
        """The pod's namespace."""
        return self.proxy.rpartition(".")[2]

    @property
    def settled(self) -> bool:
        """Whether everything that was sent has been accepted."""
        return {self.cds, self.lds, self.rds, self.eds} <= {Sync.SYNCED, Sync.NOT_SENT} and self.cds is Sync.SYNCED


def proxy_sync(cluster: Cluster, *, namespace: str = "istio-system", labels: str = "app=istiod") -> list[ProxySync]:
    """All proxies that are connected to any istiod, by name.

    Raises InvalidMeasurement when no istiod runs, or one does not answer.
    """
    pods = [
        pod["metadata"]["name"]
        for pod in cluster.list("Pod", namespace, labels, api_version="v1", fields="status.phase=Running")
        if not pod["metadata"].get("deletionTimestamp")
    ]
    if not pods:
        raise InvalidMeasurement(f"no istiod runs in namespace {namespace}", seen=f"no running pod with {labels}")
    found: list[ProxySync] = []
    for pod in pods:
        try:
            code, body = cluster.fetch(namespace, pod, _MONITORING_PORT, "/debug/syncz")
            statuses = json.loads(body) if code == 200 else None
        except (ClusterError, ValueError) as error:
            raise InvalidMeasurement(f"istiod {namespace}/{pod} does not tell what it sent", seen=error) from error
        if statuses is None:
            raise InvalidMeasurement(
                f"istiod {namespace}/{pod} does not tell what it sent",
                seen=f"HTTP {code}: {body.decode(errors='replace').strip()[:300]}",
            )
        found += [_proxy(status, pod) for status in statuses]
    return sorted(found, key=lambda status: (status.proxy, status.istiod))


def wait_until_synced(
    cluster: Cluster, proxies: Callable[[], Set[str]], *, timeout: float | None = None
) -> list[ProxySync]:
    """Wait until the named proxies ("POD.NAMESPACE") have accepted all that istiod has sent them; each look names them
    anew.

    This says nothing about configuration that istiod has not worked on yet; see barrier.hold.

    Raises StateNotReached.
    """

    def look() -> list[ProxySync]:
        named = proxies()
        statuses = [status for status in proxy_sync(cluster) if status.proxy in named]
        missing = named - {status.proxy for status in statuses}
        assert not missing, f"not connected to istiod: {', '.join(sorted(missing))}"
        unsettled = [status for status in statuses if not status.settled]
        assert not unsettled, f"not settled: {unsettled}"
        return statuses

    limit = timeout if timeout is not None else cluster.timeouts.configuration_sync
    return eventually(look, timeout=limit, what="every proxy has accepted what istiod sent")


def _proxy(status: dict[str, Any], istiod: str) -> ProxySync:
    resources = status.get("resources") or {}
    errors = {
        kind: resource["lastError"]
        for kind, name in _TYPES.items()
        for url, resource in resources.items()
        if url.endswith(f".{name}") and resource.get("lastError")
    }
    states = {
        kind: Sync.REJECTED if kind in errors else _sync(status.get(f"{name}_sent"), status.get(f"{name}_acked"))
        for kind, name in _KINDS.items()
    }
    return ProxySync(status["proxy"], istiod, version=status.get("istio_version", ""), errors=errors, **states)


def _sync(sent: str | None, acked: str | None) -> Sync:
    if not sent:
        return Sync.NOT_SENT
    return Sync.SYNCED if sent == acked else Sync.STALE
