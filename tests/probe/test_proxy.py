from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from meshproof.errors import InvalidMeasurement
from meshproof.kube import Cluster, ClusterError, ClusterUnreachable, NotFound
from meshproof.probe import Endpoint, Proxy, contains, hold, proxy_sync, wait_until_synced
from meshproof.probe.barrier import drained
from meshproof.probe.sync import Sync
from meshproof.timeouts import Timeouts
from meshproof.waiting import StateNotReached


class Recorded:
    """A cluster in which every question gives what was written down; `said` by what was asked for."""

    def __init__(
        self, said: dict[str, Any] | None = None, *, log: str = "", pods: Sequence[dict[str, Any]] = ()
    ) -> None:
        self.timeouts = Timeouts(configuration_sync=0.02)
        self.said = said or {}
        self.log = log
        self.pods = pods
        self.asked: list[tuple[str, str, int]] = []

    def fetch(self, namespace: str, pod: str, port: int, target: str) -> tuple[int, bytes]:
        self.asked.append((namespace, pod, port))
        said = self.said[target.removeprefix("/")]
        if isinstance(said, list) and said and isinstance(said[0], tuple | Exception):
            said = said.pop(0) if len(said) > 1 else said[0]
        if isinstance(said, Exception):
            raise said
        if isinstance(said, tuple):
            return said
        return 200, (said if isinstance(said, str) else json.dumps(said)).encode() + b"\n"

    def logs(self, namespace: str, pod: str, container: str, *, since: datetime | None) -> str:
        if not self.log:
            raise NotFound("no pod", code=404, message="no pod")
        return self.log

    def list(self, kind: str, *_: object, **__: object) -> Sequence[dict[str, Any]]:
        return self.pods


def proxy(said: dict[str, Any] | None = None, *, log: str = "") -> Proxy:
    return Proxy(cast(Cluster, Recorded(said, log=log)), "apps", "goapi-1")


def json_result(value: object) -> tuple[int, bytes]:
    return 200, json.dumps(value).encode()


def test_questions_go_to_the_pods_own_envoy() -> None:
    cluster = Recorded({"config_dump?resource=dynamic_listeners&name_regex=0%5C.0.%2A": {}})
    Proxy(cast(Cluster, cluster), "apps", "goapi-1").config_dump("dynamic_listeners", name_regex=r"0\.0.*")
    assert cluster.asked == [("apps", "goapi-1", 15000)]


def test_config_dump_without_matches_is_empty() -> None:
    assert proxy({"config_dump?resource=dynamic_route_configs": {}}).config_dump("dynamic_route_configs") == []


def test_config_dump_gives_the_resources() -> None:
    assert proxy({"config_dump": {"configs": [{"name": "a"}]}}).config_dump() == [{"name": "a"}]


V1 = "outbound|8080|v1|goapi.apps.svc.cluster.local"
# As Envoy 1.40 writes it: values are strings, and zeros are left out.
STATS = [
    {"name": "cx_connect_fail"},
    {"value": "1", "name": "cx_total"},
    {"name": "rq_error"},
    {"value": "2", "name": "rq_success"},
    {"value": "3", "name": "rq_total"},
    {"type": "GAUGE", "value": "1", "name": "cx_active"},
]


def host(port: int, **health: object) -> dict[str, Any]:
    return {
        "address": {"socket_address": {"address": "10.244.0.9", "port_value": port}},
        "stats": STATS,
        "health_status": {"eds_health_status": "HEALTHY", **health},
        "weight": 1,
    }


CLUSTERS = {
    "cluster_statuses": [
        {"name": V1, "host_statuses": [host(8080), host(8081, failed_outlier_check=True)]},
        {"name": "agent", "host_statuses": [{"address": {"pipe": {"path": "./etc/istio/XDS"}}, "stats": []}]},
        {"name": "BlackHoleCluster"},
    ]
}


def test_endpoints_with_their_counters() -> None:
    first, second = proxy({"clusters?format=json": CLUSTERS}).clusters(V1)
    assert first == Endpoint(V1, "10.244.0.9:8080", True, 3, 2, 0, 1, 0, 1)
    assert (second.address, second.healthy) == ("10.244.0.9:8081", False)


def test_endpoints_of_all_clusters() -> None:
    found = proxy({"clusters?format=json": CLUSTERS}).clusters()
    assert [endpoint.address for endpoint in found] == ["10.244.0.9:8080", "10.244.0.9:8081", "./etc/istio/XDS"]


def test_stats_are_numbers_by_name() -> None:
    said = {"stats": [{"name": "a.rq_total", "value": 2}, {"name": "version", "value": "x"}, {"histograms": {}}]}
    assert proxy({"stats?format=json&filter=rq_total%24": said}).stats("rq_total$") == {"a.rq_total": 2}


def test_certificates_with_their_identities_each_once() -> None:
    chain = {
        "serial_number": "29b7",
        "subject_alt_names": [{"uri": "spiffe://cluster.local/ns/apps/sa/goapi"}],
        "valid_from": "2026-11-21T10:56:16Z",
        "expiration_time": "2026-11-22T10:56:16Z",
    }
    root, own = {"ca_cert": [chain], "cert_chain": []}, {"ca_cert": [], "cert_chain": [chain]}
    (found,) = proxy({"certs": {"certificates": [root, own, own]}}).certificates()
    assert found.identities == ("spiffe://cluster.local/ns/apps/sa/goapi",)
    assert found.expires == datetime(2026, 11, 22, 10, 56, 16, tzinfo=UTC)


def test_access_log_from_a_moment_on() -> None:
    lines = [{"start_time": f"2026-11-21T10:00:0{second}.000Z"} for second in (1, 2)]
    found = proxy(log="\n".join(json.dumps(line) for line in lines)).access_log(
        datetime(2026, 11, 21, 10, 0, 2, tzinfo=UTC)
    )
    assert found == lines[1:]


def test_missing_log_is_an_invalid_measurement() -> None:
    with pytest.raises(InvalidMeasurement, match="log of the proxy of apps/goapi-1"):
        proxy().access_log()


@pytest.mark.parametrize(
    "said",
    [
        ClusterUnreachable("cannot ask port 15000: connection refused"),
        NotFound("no pod", code=404, message="no pod"),
        (404, b"invalid path"),
        "not found in dump",
    ],
)
def test_proxy_that_gives_no_answer_is_an_invalid_measurement(said: object) -> None:
    with pytest.raises(InvalidMeasurement, match="proxy of apps/goapi-1"):
        proxy({"config_dump": said}).config_dump()


def dump(*names: str) -> dict[str, Any]:
    return {"configs": [{"name": name} for name in names]}


def test_barrier_waits_for_every_proxy() -> None:
    late = [json_result(dump()), json_result(dump()), json_result(dump("revision-7"))]
    first, second = proxy({"config_dump": dump("revision-7")}), proxy({"config_dump": late})
    hold([first, second], contains("revision-7"), what="revision 7 is live", timeout=5, every=0.001)
    assert len(late) == 1


def test_barrier_names_the_proxy_that_is_behind() -> None:
    first = proxy({"config_dump": dump("revision-7")})
    second = Proxy(cast(Cluster, Recorded({"config_dump": dump("revision-6")})), "apps", "goapi-2")
    with pytest.raises(InvalidMeasurement, match=r"revision 7 is live(.*\n)*.*not held by goapi-2\.apps"):
        hold([first, second], contains("revision-7"), what="revision 7 is live", every=0.01)


def test_barrier_without_proxies_holds_nothing() -> None:
    with pytest.raises(InvalidMeasurement, match="no proxy that could hold it"):
        hold([], contains("revision-7"), what="revision 7 is live")


@pytest.mark.parametrize("state", ["warming_state", "draining_state", "error_state"])
def test_configuration_that_is_not_in_force_does_not_count(state: str) -> None:
    entry = {"name": "l", "active_state": {"name": "revision-6"}, state: {"name": "revision-7"}}
    assert not contains("revision-7")([entry])
    assert contains("revision-6")([entry])


ISTIOD = [{"metadata": {"name": "istiod-1"}}]


def status(proxy: str, **parts: str) -> dict[str, Any]:
    settled = {f"{kind}_{end}": "n1" for kind in ("cluster", "listener", "endpoint") for end in ("sent", "acked")}
    return {"proxy": proxy, "istio_version": "1.31.0", **settled, **parts}


def syncz(*statuses: dict[str, Any]) -> Cluster:
    return cast(Cluster, Recorded({"debug/syncz": list(statuses)}, pods=ISTIOD))


def test_state_of_each_kind_of_configuration() -> None:
    (found,) = proxy_sync(syncz(status("goapi-1.apps", listener_acked="n0")))
    assert (found.cds, found.lds, found.rds, found.eds) == (Sync.SYNCED, Sync.STALE, Sync.NOT_SENT, Sync.SYNCED)
    assert (found.pod, found.namespace, found.istiod) == ("goapi-1", "apps", "istiod-1")
    assert not found.settled


def test_configuration_that_was_never_acknowledged_is_stale() -> None:
    (found,) = proxy_sync(syncz(status("goapi-1.apps", endpoint_acked="")))
    assert found.eds is Sync.STALE


def test_rejected_configuration_with_the_proxys_words() -> None:
    resource = {"sent": "n1", "acked": "n0", "lastError": "no such filter"}
    made = {**status("goapi-1.apps"), "resources": {"type.googleapis.com/envoy.config.listener.v3.Listener": resource}}
    (found,) = proxy_sync(syncz(made))
    assert found.lds is Sync.REJECTED
    assert found.errors == {"lds": "no such filter"}


def test_gateway_without_routes_is_settled() -> None:
    (found,) = wait_until_synced(
        syncz(status("gw.istio-system"), status("other.apps", cluster_acked="")), lambda: {"gw.istio-system"}
    )
    assert found.rds is Sync.NOT_SENT


def test_proxy_that_is_not_connected_is_named() -> None:
    with pytest.raises(StateNotReached, match=r"not connected to istiod: lost\.apps"):
        wait_until_synced(syncz(status("goapi-1.apps")), lambda: {"goapi-1.apps", "lost.apps"})


def test_proxy_that_has_gone_is_no_longer_waited_for() -> None:
    there = iter([{"goapi-1.apps", "replaced.apps"}, {"goapi-1.apps"}])
    (found,) = wait_until_synced(syncz(status("goapi-1.apps")), lambda: next(there))
    assert found.proxy == "goapi-1.apps"


def test_no_istiod_is_an_invalid_measurement() -> None:
    with pytest.raises(InvalidMeasurement, match="no istiod runs in namespace istio-system"):
        proxy_sync(cast(Cluster, Recorded()))


@pytest.mark.parametrize("said", [ClusterError("gone"), (401, b"no token"), "not json"])
def test_istiod_that_does_not_answer_is_an_invalid_measurement(said: object) -> None:
    with pytest.raises(InvalidMeasurement, match="istio-system/istiod-1"):
        proxy_sync(cast(Cluster, Recorded({"debug/syncz": said}, pods=ISTIOD)))


STATS = "stats?format=json&filter=%5Elistener_manager%5C.total_%28listeners%7Cfilter_chains%29_draining%24"


def draining(*counts: int) -> dict[str, Any]:
    """Answers to one question after the other."""
    name = "listener_manager.total_listeners_draining"
    return {STATS: [json_result({"stats": [{"name": name, "value": count}]}) for count in counts]}


def test_old_configurations_are_waited_for() -> None:
    late = draining(2, 1, 0)
    drained(lambda: [proxy(draining(0)), proxy(late)], timeout=5, every=0.001)
    assert len(late[STATS]) == 1


def test_a_proxy_that_goes_on_by_an_old_configuration_is_named() -> None:
    with pytest.raises(InvalidMeasurement) as told:
        drained(lambda: [proxy(draining(1))], timeout=0.05, every=0.01)
    assert "still draining: goapi-1.apps" in str(told.value)


def test_old_configurations_of_a_proxy_that_has_gone_are_not_waited_for() -> None:
    gone = proxy({STATS: ClusterError("no such pod")})
    there = iter([[proxy(draining(0)), gone], [proxy(draining(0))]])
    drained(lambda: next(there), timeout=5, every=0.001)


def test_a_proxy_that_does_not_tell_whether_it_drains_counts_as_draining() -> None:
    with pytest.raises(InvalidMeasurement):
        drained(lambda: [proxy({STATS: {"stats": []}})], timeout=0.02, every=0.01)
