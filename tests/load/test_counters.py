"""The proxies' counters of the subsets, and only of those."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from meshproof.load.counters import counts_by_arm, readings
from meshproof.load.reconcile import ProxyCount
from meshproof.probe.proxy import Endpoint

SERVICE = "speech.apps.svc.cluster.local"


def endpoint(cluster: str, address: str, requests: int, errors: int = 0) -> Endpoint:
    return Endpoint(cluster, address, True, requests, requests - errors, errors, 1, 0, 1)


@dataclass
class Told:
    id: str
    endpoints: list[Endpoint]
    counted: dict[str, int] = field(default_factory=dict)

    def stats(self, filter: str = "") -> dict[str, int]:
        return {name: value for name, value in self.counted.items() if re.search(filter, name)}

    def clusters(self, name: str | None = None) -> list[Endpoint]:
        return self.endpoints


def test_endpoints_of_a_subset_are_summed_over_all_proxies() -> None:
    def read(*requests: int) -> dict[str, ProxyCount]:
        one, two, other = requests
        gateway = Told(
            "gateway",
            [
                endpoint(f"outbound|80|v1|{SERVICE}", "10.0.0.1:8080", one),
                endpoint(f"outbound|80|v2|{SERVICE}", "10.0.0.2:8080", two, errors=1),
                endpoint(f"outbound|80||{SERVICE}", "10.0.0.1:8080", 999),
                endpoint("outbound|80|v1|another.apps.svc.cluster.local", "10.0.0.9:8080", 999),
            ],
        )
        second = Told("gateway-2", [endpoint(f"outbound|80|v1|{SERVICE}", "10.0.0.1:8080", other)])
        return dict(readings([gateway, second], SERVICE, 80, ["v1", "v2"]))

    found = counts_by_arm(read(100, 50, 7), read(170, 80, 9), ["v1", "v2"])
    assert (found["v1"].attempts, found["v2"].attempts) == (72, 30)


def test_retries_are_counted_where_the_proxy_keeps_them() -> None:
    def read(attempts: int, retries: dict[str, int]) -> dict[str, ProxyCount]:
        stats = {f"cluster.outbound|80|{arm}|{SERVICE};.upstream_rq_retry": count for arm, count in retries.items()}
        stats[f"cluster.outbound|80|v1|{SERVICE};.upstream_rq_retry_success"] = 999
        ends = [endpoint(f"outbound|80|{arm}|{SERVICE}", f"10.0.0.{arm[1]}:8080", attempts) for arm in ("v1", "v2")]
        return dict(readings([Told("gateway", ends, stats)], SERVICE, 80, ["v1", "v2"]))

    counted = counts_by_arm(read(10, {"v1": 1, "v2": 2}), read(50, {"v1": 1, "v2": 12}), ["v1", "v2"])
    assert (counted["v1"].retries, counted["v2"].retries) == (0, 10)
    assert counted["v2"].attempts == 40
    unknown = counts_by_arm(read(10, {}), read(50, {}), ["v1", "v2"])
    assert unknown["v1"].retries is None
