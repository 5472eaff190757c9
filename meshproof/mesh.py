"""The mesh under test: bed and stack put together, and what the suites look at it with."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import meshproof
from meshproof.bed.addresses import Pool
from meshproof.bed.lifecycle import Bed
from meshproof.errors import InvalidMeasurement
from meshproof.kube import Cluster
from meshproof.labels import RUN_LABEL, SESSION_LABEL
from meshproof.manifests import Manifest
from meshproof.mend.notes import noted
from meshproof.mend.references import reference_of
from meshproof.mend.undoing import Delete
from meshproof.probe import (
    SIDECAR_USER,
    Answered,
    Entry,
    HostVantage,
    PodVantage,
    Proxy,
    ProxySync,
    Refused,
    Request,
    find,
    proxy_sync,
    wait_until_synced,
)
from meshproof.probe.address import LoadBalancer, load_balancer
from meshproof.probe.barrier import drained
from meshproof.probe.inventory import Pod, Workload, pods, pods_of, workloads
from meshproof.settings import Settings
from meshproof.stack import Installed
from meshproof.timeouts import Timeouts
from meshproof.waiting import StateNotReached, eventually

__all__ = ["APPS", "MESH_NAMESPACES", "OUTSIDE", "WATCHED_NAMESPACES", "Mesh"]

APPS = "apps"
OUTSIDE = "outside"
MESH_NAMESPACES = (APPS, "istio-system", "metallb-system", OUTSIDE, "datadog")
WATCHED_NAMESPACES = (*MESH_NAMESPACES, "kube-system")
"""Where a restart disturbs whoever measures."""


@dataclass
class Mesh:
    """A mesh that stands. Everything that a suite needs is an attribute or a method of it."""

    settings: Settings
    bed: Bed
    cluster: Cluster
    installed: Installed
    session_id: str
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When this session began: what was sent before is of no interest to its checks."""

    @property
    def timeouts(self) -> Timeouts:
        """The table of timeouts."""
        return self.settings.timeouts

    @property
    def pool(self) -> Pool:
        """The addresses that MetalLB may give away."""
        return Pool.parse(self.installed.pool)

    @property
    def node_hardware(self) -> dict[str, str]:
        """The hardware address of each node, where the nodes' docker network can be seen."""
        return dict(self.bed.network.hardware) if self.bed.network else {}

    @property
    def gateway_address(self) -> str:
        """The gateway's address now, as the host of a URL.

        Raises InvalidMeasurement while it has none.
        """
        state = self.load_balancer("istio-system", "istio-ingressgateway")
        if state is None or state.address is None:
            raise InvalidMeasurement("the gateway has no address", remedy="see the checks of the gateway's address")
        return f"[{state.address}]" if ":" in state.address else state.address

    def session(self, name: str, reports: Path) -> Mesh:
        """The same mesh for a session of its own, which begins now and has its folder of that name below `reports`."""
        settings = self.settings.model_copy(update={"reports": reports})
        return replace(self, settings=settings, session_id=name, began=datetime.now(UTC))

    @cached_property
    def host(self) -> HostVantage:
        """Where the tests run; it trusts the gateway's certificate authority."""
        self.reports.mkdir(parents=True, exist_ok=True)
        authority = self.reports / "gateway-authority.pem"
        authority.write_text(self.installed.gateway_authority)
        return HostVantage(ca=authority)

    @property
    def reports(self) -> Path:
        """The folder of this session's reports."""
        return self.settings.reports / self.session_id

    @property
    def inside(self) -> PodVantage:
        """The client pod that has a sidecar."""
        pod = self.a_pod(APPS, "alpine")
        return PodVantage(self.cluster, APPS, pod.name, "alpine")

    @property
    def past_the_sidecar(self) -> PodVantage:
        """The very same client pod, as the proxy's user: its plaintext goes past the sidecar."""
        pod = self.a_pod(APPS, "alpine")
        return PodVantage(self.cluster, APPS, pod.name, "alpine", user=SIDECAR_USER)

    @property
    def outside(self) -> PodVantage:
        """The client pod that has no sidecar."""
        pod = self.a_pod(OUTSIDE, "client")
        return PodVantage(self.cluster, OUTSIDE, pod.name, "client")

    def vantage(self, namespace: str, pod: str) -> PodVantage:
        """A pod whose image has sh and curl."""
        return PodVantage(self.cluster, namespace, pod)

    def a_pod(self, namespace: str, app: str) -> Pod:
        """A ready pod with that app label.

        Raises InvalidMeasurement when there is none.
        """
        found = pods(self.cluster, namespace, {"app": app})
        ready = [pod for pod in found if pod.is_ready]
        if not ready:
            states = ", ".join(f"{pod.name} {pod.phase} {pod.ready}/{len(pod.containers)}" for pod in found)
            raise InvalidMeasurement(f"no pod of {namespace}/{app} is ready", seen=states or "no pod at all")
        return ready[0]

    def workloads(self, namespace: str = APPS) -> tuple[Workload, ...]:
        """The Deployments of a namespace."""
        return workloads(self.cluster, namespace)

    def pods_of(self, workload: Workload) -> tuple[Pod, ...]:
        """A workload's pods."""
        return pods_of(self.cluster, workload)

    def a_pod_of(self, workload: str, namespace: str = APPS) -> Pod:
        """A ready pod of a workload.

        Raises InvalidMeasurement when there is none.
        """
        known = {found.name: found for found in self.workloads(namespace)}
        ready = [pod for pod in self.pods_of(known[workload]) if pod.is_ready] if workload in known else []
        if not ready:
            raise InvalidMeasurement(f"no pod of {namespace}/{workload} is ready")
        return ready[0]

    def a_pod_to_replace(self, workload: str) -> Pod:
        """A ready pod that a check may delete, since another like it will come.

        Raises InvalidMeasurement when there is none, or when its successor would get no sidecar.
        """
        namespace = self.cluster.get("Namespace", APPS) or {}
        injection = namespace.get("metadata", {}).get("labels", {}).get("istio-injection")
        if injection != "enabled":
            raise InvalidMeasurement(f"a new pod in {APPS} would get no sidecar", seen=f"istio-injection: {injection}")
        return self.a_pod_of(workload)

    def all_pods(self, namespace: str) -> tuple[Pod, ...]:
        """All pods of a namespace, also those on their way out."""
        return pods(self.cluster, namespace)

    def pods(self, namespace: str) -> tuple[Pod, ...]:
        """All pods of a namespace, without those on their way out."""
        return tuple(pod for pod in self.all_pods(namespace) if not pod.leaving)

    def proxy(self, pod: Pod) -> Proxy:
        """The pod's sidecar, or the gateway's proxy."""
        return Proxy(self.cluster, pod.namespace, pod.name)

    @property
    def gateway_proxies(self) -> list[Proxy]:
        """The proxies of all gateway pods that are there now: they choose for requests from outside."""
        pods = self.pods("istio-system")
        return [self.proxy(pod) for pod in pods if pod.labels.get("app") == "istio-ingressgateway"]

    def proxy_sync(self) -> list[ProxySync]:
        """What istiod says of every proxy."""
        return proxy_sync(self.cluster)

    def through_gateway(self, *requests: Request, parallel: int = 4) -> list[Answered]:
        """The gateway's answers to requests from the host; their URLs give host name and port.

        Raises InvalidMeasurement when the gateway's address cannot be connected to: then nothing behind it was asked.
        """
        address = self.gateway_address
        first, *others = (replace(request, connect_to=address) for request in requests)
        outcomes = [self.host.send(first)]
        if isinstance(outcomes[0], Refused) and outcomes[0].peer is None:
            raise InvalidMeasurement(f"the gateway's address {address} cannot be connected to", seen=outcomes[0])
        outcomes += self.host.send_all(others, parallel=parallel)
        for outcome in outcomes:
            assert isinstance(outcome, Answered), f"through the gateway at {address}: {outcome}"
        return [outcome for outcome in outcomes if isinstance(outcome, Answered)]

    @property
    def gateway_pod(self) -> Pod:
        """A ready pod of the ingress gateway."""
        return self.a_pod("istio-system", "istio-ingressgateway")

    def logged(self, pod: Pod, request: Request) -> Entry:
        """The line that a pod's proxy logged about a request, waited for: Envoy writes its log in batches.

        Raises InvalidMeasurement when it does not come.
        """
        proxy = self.proxy(pod)
        try:
            found = eventually(
                lambda: find(proxy.access_log(), request_id=request.request_id),
                timeout=self.timeouts.log_line,
                what=f"the proxy of {pod.name} logs request {request.request_id}",
                every=0.5,
            )
        except StateNotReached as error:
            raise InvalidMeasurement(error.problem) from error
        return found[-1]

    def in_force(self) -> None:
        """Wait until every proxy that runs has accepted what istiod sent, and none serves by anything older.

        Raises StateNotReached; InvalidMeasurement.
        """

        def with_proxy() -> list[Pod]:
            # Not those that are connected: to an istiod that was restarted they come back one by one, within half a
            # minute. Listed at each look: somebody else's pod may come or go meanwhile.
            found = [pod for namespace in MESH_NAMESPACES for pod in self.pods(namespace)]
            return [pod for pod in found if pod.has_proxy and pod.phase == "Running"]

        wait_until_synced(self.cluster, lambda: {f"{pod.name}.{pod.namespace}" for pod in with_proxy()})
        drained(lambda: [self.proxy(pod) for pod in with_proxy()], timeout=self.timeouts.drain)

    def load_balancer(self, namespace: str, name: str) -> LoadBalancer | None:
        """A Service of type LoadBalancer as it is now."""
        return load_balancer(self.cluster, namespace, name)

    @contextmanager
    def temporary(self, manifests: Sequence[Manifest], *, wait: bool = True) -> Iterator[list[Manifest]]:
        """Objects that exist for the length of the block; afterwards they are gone, or without `wait` on their way."""
        labels = {RUN_LABEL: self.bed.run_id, SESSION_LABEL: self.session_id}
        removal = [Delete(reference=reference_of(manifest)) for manifest in manifests]
        with noted(self.cluster, ", ".join(manifest["metadata"]["name"] for manifest in manifests), removal):
            try:
                yield self.cluster.apply(manifests, labels=labels)
            finally:
                self.cluster.delete(manifests, wait=wait)

    def facts(self) -> dict[str, Any]:
        """What the results rest on: ids, versions, digests, addresses."""
        return {
            "session": self.session_id,
            "run": self.installed.run_id,
            "cluster": self.settings.cluster_name if not self.bed.borrowed else self.cluster.context,
            "bed": "borrowed" if self.bed.borrowed else "created" if self.bed.created else "kept",
            "images": self.bed.source,
            "versions": {**self.installed.versions, "python": platform.python_version()},
            "digests": dict(self.bed.digests),
            "pool": self.installed.pool,
            "gateway": self.installed.gateway_address,
            "meshproof": meshproof.__version__,
        }

    def reach(self) -> list[str]:
        """Lines that tell how to reach the cluster by hand, if it stays."""
        made_by_this_run = self.bed.created or (self.bed.borrowed and self.installed.run_id == self.bed.run_id)
        if made_by_this_run and not self.settings.keep_cluster:
            return []
        inside = f"nsenter --net={self.bed.namespace} " if self.bed.namespace else ""
        return [
            f"kubectl: {inside}env KUBECONFIG={self.bed.kubeconfig} kubectl get pods -A",
            f"books:   {inside}curl -H 'Host: goapi.apps.svc.cluster.local' http://{self.installed.gateway_address}/books",
        ]
