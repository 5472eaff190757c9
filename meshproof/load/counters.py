"""The proxies' own counts of requests, by arm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from meshproof.load.reconcile import ProxyCount, counted_since
from meshproof.probe.proxy import Endpoint

__all__ = ["CountingProxy", "Readings", "counts_by_arm", "readings"]

Readings = Mapping[str, ProxyCount]
"""By "PROXY|ARM|ADDRESS"."""


class CountingProxy(Protocol):
    """What is asked of a probe.Proxy."""

    @property
    def id(self) -> str: ...

    def clusters(self, name: str | None = None) -> list[Endpoint]: ...


def readings(proxies: Iterable[CountingProxy], service: str, port: int, arms: Sequence[str]) -> Readings:
    """What each proxy has sent so far to each endpoint of each subset, as clients of the service: the proxies that make
    the choice. `service` is the host of the DestinationRule, whose subsets are named like the arms.

    Raises InvalidMeasurement when a proxy does not answer.
    """
    found = {}
    for proxy in proxies:
        for endpoint in proxy.clusters():
            for arm in arms:
                if endpoint.cluster == f"outbound|{port}|{arm}|{service}":
                    key = f"{proxy.id}|{arm}|{endpoint.address}"
                    found[key] = ProxyCount(endpoint.requests, endpoint.errors)
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
