"""The Envoy of one pod, through its admin interface and its log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from meshproof.errors import InvalidMeasurement
from meshproof.kube import Cluster, ClusterError
from meshproof.probe.access_log import Entry, entries
from meshproof.probe.inbound import InboundChain, chains_of
from meshproof.timeouts import Timeouts

__all__ = ["Certificate", "Endpoint", "Proxy"]

_ADMIN_PORT = 15000
"""Istio's proxyAdminPort, as every installation profile leaves it."""


@dataclass(frozen=True)
class Endpoint:
    """One upstream address of one Envoy cluster, with its counters since the proxy began to know it."""

    cluster: str
    address: str
    healthy: bool
    requests: int
    successes: int
    errors: int
    connections: int
    connect_failures: int
    weight: int


@dataclass(frozen=True)
class Certificate:
    """A certificate that the proxy presents. `identities` are its SPIFFE URIs."""

    identities: tuple[str, ...]
    serial: str
    valid_from: datetime
    expires: datetime


class Proxy:
    """A pod's Envoy. Its admin interface, which listens on the loopback interface, is asked through the API server.

    All methods raise InvalidMeasurement, naming the pod, when the proxy does not answer.
    """

    def __init__(self, cluster: Cluster, namespace: str, pod: str, container: str = "istio-proxy") -> None:
        self._cluster = cluster
        self.namespace = namespace
        self.pod = pod
        self.container = container

    def __repr__(self) -> str:
        return f"Proxy({self.namespace}/{self.pod})"

    @property
    def timeouts(self) -> Timeouts:
        """The table of timeouts of the cluster that it runs in."""
        return self._cluster.timeouts

    @property
    def id(self) -> str:
        """As istiod calls it: "POD.NAMESPACE"."""
        return f"{self.pod}.{self.namespace}"

    def ask(self, path: str, **query: str | None) -> str:
        """The text that the admin interface gives for a path."""
        given = {name: value for name, value in query.items() if value is not None}
        target = f"/{path}?{urlencode(given)}" if given else f"/{path}"
        try:
            status, body = self._cluster.fetch(self.namespace, self.pod, _ADMIN_PORT, target)
        except ClusterError as error:
            raise InvalidMeasurement(f"no answer from the proxy of {self.namespace}/{self.pod}", seen=error) from error
        text = body.decode(errors="replace")
        if status != 200:
            raise InvalidMeasurement(
                f"the proxy of {self.namespace}/{self.pod} does not answer GET {target}",
                seen=f"HTTP {status}: {text.strip()[-500:]}",
            )
        return text

    def config_dump(
        self, resource: str | None = None, *, name_regex: str | None = None, endpoints: bool = False
    ) -> list[dict[str, Any]]:
        """The proxy's configuration.

        Without `resource` the parts of the whole dump; with it ("dynamic_listeners", "dynamic_route_configs",
        "dynamic_active_clusters", ...) its single resources. `name_regex` has to match a resource's whole name.
        """
        eds = "on" if endpoints else None
        document = self._json("config_dump", resource=resource, name_regex=name_regex, include_eds=eds)
        return list(document.get("configs") or [])

    def clusters(self, name: str | None = None) -> list[Endpoint]:
        """The endpoints of all clusters, or of one: "outbound|8080|v1|goapi.apps.svc.cluster.local"."""
        document = self._json("clusters", format="json")
        return [
            _endpoint(status["name"], host)
            for status in document.get("cluster_statuses") or []
            for host in status.get("host_statuses") or []
            if name is None or status["name"] == name
        ]

    def stats(self, filter: str = "") -> dict[str, int]:
        """Counters and gauges whose name `filter` (a regular expression) is found in.

        Istio makes a proxy keep some statistics only; proxyStatsMatcher adds more.
        """
        document = self._json("stats", format="json", filter=filter or None)
        return {
            stat["name"]: stat["value"]
            for stat in document.get("stats") or []
            if "name" in stat and isinstance(stat.get("value"), int)
        }

    def certificates(self) -> list[Certificate]:
        """The certificates that the proxy presents; each once, however many TLS contexts use it."""
        document = self._json("certs")
        chains = [chain for entry in document.get("certificates") or [] for chain in entry.get("cert_chain") or []]
        return list(dict.fromkeys(_certificate(chain) for chain in chains))

    def server_info(self) -> dict[str, Any]:
        """Version, state ("LIVE"), command line, uptime."""
        return self._json("server_info")

    def inbound_listeners(self) -> list[InboundChain]:
        """The filter chains that accept other pods' connections; see inbound.mtls_mode."""
        return chains_of(self.config_dump("dynamic_listeners", name_regex="virtualInbound"))

    def access_log(self, since: datetime | None = None) -> list[Entry]:
        """The access log from `since` (aware) on. Envoy writes a line when its request ends, and up to 1 s later."""
        try:
            log = self._cluster.logs(self.namespace, self.pod, self.container, since=since)
        except ClusterError as error:
            raise InvalidMeasurement(f"no log of the proxy of {self.namespace}/{self.pod}", seen=error) from error
        return entries(log, since=since)

    def _json(self, path: str, **query: str | None) -> dict[str, Any]:
        text = self.ask(path, **query)
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise InvalidMeasurement(
                f"the proxy of {self.namespace}/{self.pod} gives no JSON for {path}", seen=text.strip()[:300]
            )
        return document


def _endpoint(cluster: str, host: dict[str, Any]) -> Endpoint:
    stats = {stat["name"]: int(stat.get("value") or 0) for stat in host.get("stats") or []}
    health = host.get("health_status") or {}
    failed = any(value is True for name, value in health.items() if name.startswith("failed_"))
    return Endpoint(
        cluster=cluster,
        address=_address(host.get("address") or {}),
        healthy=not failed and health.get("eds_health_status", "HEALTHY") in ("HEALTHY", "UNKNOWN"),
        requests=stats.get("rq_total", 0),
        successes=stats.get("rq_success", 0),
        errors=stats.get("rq_error", 0),
        connections=stats.get("cx_total", 0),
        connect_failures=stats.get("cx_connect_fail", 0),
        weight=int(host.get("weight") or 0),
    )


def _certificate(chain: dict[str, Any]) -> Certificate:
    return Certificate(
        identities=tuple(name["uri"] for name in chain.get("subject_alt_names") or [] if "uri" in name),
        serial=chain.get("serial_number", ""),
        valid_from=datetime.fromisoformat(chain["valid_from"]),
        expires=datetime.fromisoformat(chain["expiration_time"]),
    )


def _address(address: dict[str, Any]) -> str:
    socket = address.get("socket_address")
    if socket is not None:
        return f"{socket['address']}:{socket.get('port_value', 0)}"
    pipe = address.get("pipe")
    return str(pipe["path"]) if pipe is not None else json.dumps(address, sort_keys=True)
