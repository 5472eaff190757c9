"""The proxies' own counts of requests, by arm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from meshproof.load.reconcile import ProxyCount, counted_since
from meshproof.probe.proxy import Endpoint

__all__ = ["CountingProxy", "Readings", "counts_by_arm", "readings"]

Readings = Mapping[str, ProxyCount]
"""By "PROXY|ARM|ADDRESS"; without an address the retries to the whole arm, where the proxy counts them."""


_RETRIES = r"upstream_rq_retry$"


class CountingProxy(Protocol):
    """What is asked of a probe.Proxy."""

    @property
    def id(self) -> str: ...

    def clusters(self, name: str | None = None) -> list[Endpoint]: ...

    def stats(self, filter: str = "") -> dict[str, int]: ...


def readings(proxies: Iterable[CountingProxy], service: str, port: int, arms: Sequence[str]) -> Readings:
    """What each proxy has sent so far to each endpoint of each subset, as clients of the service: the proxies that make
    the choice. `service` is the host of the DestinationRule, whose subsets are named like the arms.

    Raises InvalidMeasurement when a proxy does not answer.
    """
    found = {}
    for proxy in proxies:
        # Envoy counts retries by cluster, and only where proxyStatsMatcher asks for it.
        counted = proxy.stats(_RETRIES)
        retries = {arm: [counted[name] for name in counted if f"|{port}|{arm}|{service}" in name] for arm in arms}
        for endpoint in proxy.clusters():
            for arm in arms:
                if endpoint.cluster == f"outbound|{port}|{arm}|{service}":
                    key = f"{proxy.id}|{arm}|{endpoint.address}"
                    found[key] = ProxyCount(endpoint.requests, endpoint.errors, 0 if retries[arm] else None)
                    if retries[arm]:
                        found[f"{proxy.id}|{arm}|"] = ProxyCount(0, 0, sum(retries[arm]))
    return found


def counts_by_arm(before: Readings, after: Readings, arms: Sequence[str]) -> dict[str, ProxyCount]:
    """What was sent to each arm between two readings; an arm without any endpoint is left out.

    Raises UsageError when counters went back or are gone.
    """
    sums: dict[str, ProxyCount] = {}
    for key, count in counted_since(before, after).items():
        arm = key.split("|")[1]
        if arm in arms:
            sums[arm] = sums[arm] + count if arm in sums else count
    return sums
