"""Configuration that a check puts into the mesh for its own length: nothing is measured before the proxies hold it, and
what was there before is put back."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from meshproof.errors import InvalidMeasurement
from meshproof.kube import Cluster
from meshproof.manifests import Manifest
from meshproof.mend.notes import noted, restoring
from meshproof.observability.sampling import tracings
from meshproof.probe import Proxy, contains, hold

__all__ = ["FAILING", "failing_goapi", "failing_request_id", "sampling"]

_TELEMETRY = ("Telemetry", "mesh-default", "istio-system", "telemetry.istio.io/v1")
_ROUTE = ("VirtualService", "goapi-vs", "apps", "networking.istio.io/v1")

FAILING = "0badb00c"
"""How the id of a request begins that goapi is not to be reached with. Apps and sidecars pass request ids on."""


@contextmanager
def sampling(cluster: Cluster, proxies: Sequence[Proxy]) -> Iterator[Callable[[float], None]]:
    """A function that sets the percentage of traced requests and returns when the proxies hold it; at the end of the
    block the Telemetry object is as it was, and the proxies hold that.

    Raises InvalidMeasurement when there is no such object, or when a proxy does not come to hold it.
    """
    kind, name, namespace, version = _TELEMETRY
    found = _found(cluster, kind, name, namespace, version)
    before = (found.get("spec") or {}).get("tracing") or []
    if not before:
        raise InvalidMeasurement(f"Telemetry {namespace}/{name} says nothing about tracing")

    def put(tracing: list[dict[str, Any]]) -> None:
        cluster.patch(kind, name, {"spec": {"tracing": tracing}}, namespace, version)

    def settle(percentage: float) -> None:
        hold(
            proxies,
            lambda dump: {tracing.percentage for tracing in tracings(dump)} == {percentage},
            what=f"the proxies trace {percentage:g} % of the requests",
            resource="dynamic_listeners",
        )

    def trace(percentage: float) -> None:
        changed = copy.deepcopy(before)
        changed[0]["randomSamplingPercentage"] = percentage
        put(changed)
        settle(percentage)

    with noted(
        cluster,
        f"{kind} {namespace}/{name}",
        [restoring(kind, name, namespace, version, {"spec": {"tracing": before}})],
    ):
        try:
            yield trace
        finally:
            put(before)
            settle(float(before[0].get("randomSamplingPercentage", 100.0)))


def failing_request_id(number: int) -> str:
    """A request id that `failing_goapi` goes by."""
    return f"{FAILING}-0000-4000-8000-{number:012x}"


@contextmanager
def failing_goapi(cluster: Cluster, proxies: Sequence[Proxy], *, status: int = 503) -> Iterator[None]:
    """For the length of the block, requests to goapi with an id that begins with FAILING are answered `status` by the
    caller's own proxy; `proxies` are those callers'. All other requests go their way.

    Raises InvalidMeasurement when a proxy does not come to hold it.
    """
    kind, name, namespace, version = _ROUTE
    found = _found(cluster, kind, name, namespace, version)
    before = found["spec"]["http"]
    failing = {
        **copy.deepcopy(before[0]),
        "name": f"{FAILING}-fails",
        "match": [{"headers": {"x-request-id": {"prefix": f"{FAILING}-"}}}],
        "fault": {"abort": {"httpStatus": status, "percentage": {"value": 100}}},
    }
    held = contains(f"{FAILING}-")

    def put(http: list[dict[str, Any]], predicate: Callable[[Any], bool], what: str) -> None:
        cluster.patch(kind, name, {"spec": {"http": http}}, namespace, version)
        hold(proxies, predicate, what=what, resource="dynamic_route_configs")

    with noted(
        cluster, f"{kind} {namespace}/{name}", [restoring(kind, name, namespace, version, {"spec": {"http": before}})]
    ):
        try:
            put([failing, *before], held, "the proxies let marked requests to goapi fail")
            yield
        finally:
            put(before, lambda dump: not held(dump), "the proxies let all requests to goapi pass again")


def _found(cluster: Cluster, kind: str, name: str, namespace: str, version: str) -> Manifest:
    found = cluster.get(kind, name, namespace, version)
    if found is None:
        raise InvalidMeasurement(f"there is no {kind} {namespace}/{name}")
    return found
