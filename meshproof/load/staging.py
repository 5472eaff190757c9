"""What the suites of the split put into the mesh for their own length: a pod that makes load, a route with other
weights, a version that fails."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from meshproof.errors import InvalidMeasurement
from meshproof.kube import Cluster
from meshproof.load.options import LOAD
from meshproof.load.routes import promised_weights, weights_held
from meshproof.manifests import Manifest
from meshproof.mend.notes import noted, restoring
from meshproof.probe import Proxy, contains, hold

__all__ = [
    "ARMS",
    "FAILING",
    "SPEECH",
    "Reroute",
    "failing",
    "load_pod",
    "rerouted",
    "virtual_service",
    "wait_for_route",
]

SPEECH = "text-to-speech.apps.svc.cluster.local"
ARMS = ("v1", "v2")
FAILING = "meshproof.failing"
"""The name of the filter by which a version fails, in a proxy that holds it. All outbound listeners have a fault filter
of Envoy's own name."""
_NAMESPACE = "apps"
_ROUTE = ("VirtualService", "text-to-speech-vs", _NAMESPACE, "networking.istio.io/v1")
_IMAGE = "docker.io/meshproof/text-to-speech-canary:1.0.0"
_REVISION = next(str(option.default) for option in LOAD if option.name == "revision-header")

Reroute = Callable[..., None]
"""`reroute(revision, weights=None, retries=None)`: lay these over the route; returns at once."""


def load_pod(name: str = "load") -> Manifest:
    """Has Python and waits to be told what to send. Its tracer-free traffic is the mesh's alone."""
    container = {
        "name": "load",
        "image": _IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "3600"],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    }
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": _NAMESPACE}, "spec": spec}


def virtual_service(cluster: Cluster) -> Manifest:
    """The route under test as it is now. Raises InvalidMeasurement when there is none."""
    kind, name, namespace, version = _ROUTE
    found = cluster.get(kind, name, namespace, version)
    if found is None:
        raise InvalidMeasurement(f"there is no {kind} {namespace}/{name}")
    return found


def wait_for_route(cluster: Cluster, proxies: Sequence[Proxy]) -> None:
    """Until all proxies hold the weights of the VirtualService as it is now, and no others for the same service.

    Raises InvalidMeasurement.
    """
    promised = promised_weights(virtual_service(cluster))
    hold(
        proxies,
        lambda dump: weights_held(dump, SPEECH) == [promised],
        what=f"the proxies split requests to {SPEECH} by {dict(promised)}",
        resource="dynamic_route_configs",
    )


@contextmanager
def rerouted(cluster: Cluster, proxies: Sequence[Proxy]) -> Iterator[Reroute]:
    """A function that lays weights or a retry policy over the route, with a revision that every answer then carries;
    at the end of the block the route is as it was, and the proxies hold that.

    Raises InvalidMeasurement.
    """
    kind, name, namespace, version = _ROUTE
    service = virtual_service(cluster)
    before: list[dict[str, Any]] = service["spec"]["http"]

    def put(http: list[dict[str, Any]]) -> None:
        cluster.patch(kind, name, {"spec": {"http": http}}, namespace, version)

    def reroute(revision: str, weights: Sequence[int] | None = None, retries: dict[str, Any] | None = None) -> None:
        http = copy.deepcopy(before)
        for place, destination in enumerate(http[0]["route"]):
            if weights is not None:
                destination["weight"] = weights[place]
            destination["headers"]["response"]["set"][_REVISION] = revision
        if retries is not None:
            http[0]["retries"] = retries
        put(http)

    with noted(cluster, f"the route of {SPEECH}", [restoring(*_ROUTE, {"spec": {"http": before}})]):
        try:
            yield reroute
        finally:
            put(before)
            bare = contains(_REVISION)
            hold(
                proxies,
                lambda dump: not bare(dump),
                what="the proxies have the route back that was there before",
                resource="dynamic_route_configs",
            )


def failing(version: str, percentage: float, status: int = 503) -> Manifest:
    """An EnvoyFilter by which the sidecars of one version answer a part of their requests themselves, with an error."""
    fault = {
        "name": FAILING,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "abort": {
                "http_status": status,
                "percentage": {"numerator": round(percentage * 10_000), "denominator": "MILLION"},
            },
        },
    }
    chain = {"filterChain": {"filter": {"name": "envoy.filters.network.http_connection_manager"}}}
    patch = {
        "applyTo": "HTTP_FILTER",
        "match": {"context": "SIDECAR_INBOUND", "listener": chain},
        "patch": {"operation": "INSERT_FIRST", "value": fault},
    }
    labels = {"app": "text-to-speech", "version": version}
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": f"text-to-speech-{version}-fails", "namespace": _NAMESPACE},
        "spec": {"workloadSelector": {"labels": labels}, "configPatches": [patch]},
    }
