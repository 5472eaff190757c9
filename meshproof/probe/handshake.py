"""mTLS enforcement measured all at once: every workload and port of a namespace, from every vantage, sandwiched."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from meshproof.errors import InvalidMeasurement
from meshproof.kube import Cluster
from meshproof.probe.access_log import Entry, find
from meshproof.probe.inbound import InboundChain, MtlsMode, mtls_mode
from meshproof.probe.inventory import Pod, Workload, pods_of
from meshproof.probe.outcome import Outcome, Reason, Refused
from meshproof.probe.proxy import Proxy
from meshproof.probe.request import Request
from meshproof.probe.vantage import Vantage
from meshproof.waiting import StateNotReached, eventually

__all__ = ["Attempt", "Handshakes", "Route", "Way", "is_refused_by_policy", "measure", "routes_to"]

_LOG_SKEW = timedelta(seconds=1)
_NO_CHAIN = "filter_chain_not_found"


class Way(StrEnum):
    """How a target is addressed."""

    SERVICE = "service"
    POD = "pod address"


@dataclass(frozen=True)
class Route:
    """One way to one target. Behind a Service several workloads may stand; `pods` are all that may answer."""

    way: Way
    address: str
    port: int
    pods: tuple[str, ...]

    @property
    def url(self) -> str:
        """What to ask: the path that every app answers."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}/healthz"

    def __str__(self) -> str:
        return f"{self.way} {self.address}:{self.port}"


@dataclass(frozen=True)
class Attempt:
    """One request from one vantage over one route, and the lines that servers' proxies logged about it."""

    vantage: str
    route: Route
    outcome: Outcome
    entries: tuple[tuple[str, Entry], ...] = ()

    def __str__(self) -> str:
        return f"{self.vantage} -> {self.route}: {self.outcome}"


@dataclass(frozen=True)
class Handshakes:
    """What was seen of one namespace in one measurement.

    `before` and `after` are from the client that must be answered, `denied` from those that must not. `control` is the
    client outside asking a target outside, before and after: it shows that this client works.
    """

    before: tuple[Attempt, ...]
    denied: tuple[Attempt, ...]
    after: tuple[Attempt, ...]
    control: tuple[Attempt, ...]
    chains: dict[str, tuple[InboundChain, ...]] = field(default_factory=dict)

    def of(self, attempts: Sequence[Attempt], pods: Sequence[Pod]) -> list[Attempt]:
        """Those attempts whose route leads to one of the pods."""
        names = {pod.name for pod in pods}
        return [attempt for attempt in attempts if names & set(attempt.route.pods)]

    def mode(self, pod: str, port: int) -> MtlsMode:
        """What a pod's sidecar is configured to accept on a port."""
        return mtls_mode(self.chains[pod], port)


def routes_to(cluster: Cluster, workloads: Sequence[Workload]) -> list[Route]:
    """Every way to every declared port: once through each Service port, once to each pod's own address."""
    found: dict[tuple[str, int], Route] = {}
    services = {item["metadata"]["name"]: item for item in cluster.list("Service", workloads[0].namespace)}
    for workload in workloads:
        running = [pod for pod in pods_of(cluster, workload) if pod.ip and pod.phase == "Running"]
        for pod in running:
            for port in workload.ports:
                found[str(pod.ip), port] = Route(Way.POD, str(pod.ip), port, (pod.name,))
        for name, service in services.items():
            selector = service["spec"].get("selector") or {}
            if not selector or not selector.items() <= workload.template_labels.items():
                continue
            host = f"{name}.{workload.namespace}.svc.cluster.local"
            for port in service["spec"]["ports"]:
                known = found.get((host, port["port"]))
                behind = (*(known.pods if known else ()), *(pod.name for pod in running))
                found[host, port["port"]] = Route(Way.SERVICE, host, port["port"], behind)
    return list(found.values())


def is_refused_by_policy(outcome: Outcome) -> bool:
    """Whether a plaintext client was refused the way a sidecar in STRICT mode does it: connected, then reset."""
    return isinstance(outcome, Refused) and outcome.reason in (Reason.RESET, Reason.RESET_IN_HANDSHAKE)


def measure(
    cluster: Cluster,
    workloads: Sequence[Workload],
    *,
    allowed: Vantage,
    denied: Sequence[Vantage],
    control: tuple[Vantage, Route],
    log_line: float,
) -> Handshakes:
    """Allow, deny, allow: all routes from the allowed client, then from those to be denied, then again.

    The proxies have `log_line` seconds to log what they were asked.

    Raises InvalidMeasurement when there is nothing to ask.
    """
    routes = routes_to(cluster, workloads)
    if not routes:
        raise InvalidMeasurement("no pod runs that could be asked", seen=[workload.name for workload in workloads])
    services = [route for route in routes if route.way is Way.SERVICE]
    since = datetime.now(UTC) - _LOG_SKEW
    client, elsewhere = control
    with ThreadPoolExecutor(8, thread_name_prefix="handshake") as pool:
        chains = pool.submit(_chains, cluster, workloads)
        first_control = pool.submit(_ask, client, [elsewhere])
        before = _ask(allowed, services)
        asked = [pool.submit(_ask, vantage, _to_others(vantage, routes)) for vantage in denied]
        refused = [attempt for future in asked for attempt in future.result()]
        after = _ask(allowed, services)
        again = _ask(client, [elsewhere])
        proxies = [
            Proxy(cluster, pod.namespace, pod.name) for w in workloads for pod in pods_of(cluster, w) if pod.has_proxy
        ]
        logs = _logs(proxies, since, [*before, *after], refused, log_line)
        return Handshakes(
            before=tuple(_with_entries(before, logs)),
            denied=tuple(_with_refusals(refused, logs)),
            after=tuple(_with_entries(after, logs)),
            control=(*first_control.result(), *again),
            chains=chains.result(),
        )


def _to_others(vantage: Vantage, routes: Sequence[Route]) -> list[Route]:
    """Without the routes back to the asking pod itself, which take a way of their own past all policy."""
    own = getattr(vantage, "pod", None)
    return [route for route in routes if set(route.pods) != {own}]


def _ask(vantage: Vantage, routes: Sequence[Route]) -> list[Attempt]:
    outcomes = vantage.send_all([Request(route.url) for route in routes], parallel=2)
    return [Attempt(vantage.name, route, outcome) for route, outcome in zip(routes, outcomes, strict=True)]


def _chains(cluster: Cluster, workloads: Sequence[Workload]) -> dict[str, tuple[InboundChain, ...]]:
    found = [pod for workload in workloads for pod in pods_of(cluster, workload) if pod.has_proxy]
    with ThreadPoolExecutor(4) as pool:
        listeners = pool.map(lambda pod: Proxy(cluster, pod.namespace, pod.name).inbound_listeners(), found)
        return {pod.name: tuple(chains) for pod, chains in zip(found, listeners, strict=True)}


def _logs(
    proxies: Sequence[Proxy],
    since: datetime,
    answered: Sequence[Attempt],
    refused: Sequence[Attempt],
    seconds: float,
) -> dict[str, list[Entry]]:
    """The proxies' logs, read until they have a line for every request that was answered and every reset.

    Envoy writes its log in batches, so a line may come a little later than the answer. What is still missing at the
    end of the time is missing; the verdict says so.
    """
    expected = {attempt.outcome.request_id for attempt in answered}
    resets = sum(is_refused_by_policy(attempt.outcome) for attempt in refused)
    logs: dict[str, list[Entry]] = {}

    def complete() -> bool:
        with ThreadPoolExecutor(8) as pool:
            for proxy, log in zip(proxies, pool.map(lambda p: p.access_log(since), proxies), strict=True):
                logs[proxy.pod] = log
        everything = [entry for log in logs.values() for entry in log]
        received = [entry for entry in everything if _is_inbound(entry)]
        # A proxy that traces a request writes that into its id.
        logged = all(find(received, request_id=request_id) for request_id in expected)
        return logged and sum(_is_refusal(entry) for entry in everything) >= resets

    with suppress(StateNotReached):
        eventually(complete, timeout=seconds, every=0.5, what="the proxies have logged every request")
    return logs


def _is_refusal(entry: Entry) -> bool:
    words = (entry.get("response_code_details"), entry.get("connection_termination_details"))
    return "NR" in str(entry.get("response_flags") or "").split(",") and _NO_CHAIN in map(str, words)


def _is_inbound(entry: Entry) -> bool:
    """A server's line; the client's own proxy logs the same request on its way out."""
    return str(entry.get("upstream_cluster") or "").startswith("inbound|")


def _with_entries(attempts: Sequence[Attempt], logs: dict[str, list[Entry]]) -> list[Attempt]:
    """To each attempt the lines of servers that have its request's id."""

    def logged(attempt: Attempt) -> list[tuple[str, Entry]]:
        found = [
            (pod, entry) for pod, log in logs.items() for entry in find(log, request_id=attempt.outcome.request_id)
        ]
        return [(pod, entry) for pod, entry in found if _is_inbound(entry)]

    return [replace(attempt, entries=tuple(logged(attempt))) for attempt in attempts]


def _with_refusals(attempts: Sequence[Attempt], logs: dict[str, list[Entry]]) -> list[Attempt]:
    """To each denied attempt the refusals that its target's proxy logged for the client's very connection."""

    def logged(attempt: Attempt) -> list[tuple[str, Entry]]:
        found = [(pod, entry) for pod in attempt.route.pods for entry in logs.get(pod, []) if _is_refusal(entry)]
        return [(pod, entry) for pod, entry in found if _same_port(entry, attempt.outcome)]

    return [replace(attempt, entries=tuple(logged(attempt))) for attempt in attempts]


def _same_port(entry: Entry, outcome: Outcome) -> bool:
    """A connection keeps its source port on the way, also where the node puts its own address in its place."""
    mine = (outcome.local or "").rpartition(":")[2]
    return bool(mine) and str(entry.get("downstream_remote_address") or "").rpartition(":")[2] == mine
