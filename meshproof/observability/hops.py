"""What a request's way through the mesh has to look like in its trace.

Each hop is a pair of Envoy's spans: the outgoing one of the caller's proxy, and as its child the receiving one of the
callee's. They are told apart by the cluster that they name (`outbound|...`, `inbound|...`), never by span.kind, which
Envoy's Datadog tracer does not set (envoyproxy/envoy issue 46712). A gateway adds a span of its own above the outgoing
one since Istio 1.28. Between two hops stand the spans of the app itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from meshproof.intake.backend import Span
from meshproof.observability.traces import Trace, described

__all__ = [
    "Direction",
    "Hop",
    "Stop",
    "app_spans_missing",
    "direction",
    "gateway_spans",
    "hops",
    "pairs_missing",
    "told",
]

_PROXY_SPAN = "envoy.proxy"
# values.pilot.env.PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY, on by default since this version of Istio.
_TWO_SPANS_SINCE = (1, 28)


class Direction(Enum):
    """Which side of a hop a proxy's span is."""

    OUTGOING = "outbound|"
    RECEIVING = "inbound|"


@dataclass(frozen=True)
class Stop:
    """One stop of a request's way.

    `app` is the app's name, as its own spans and the host names of its Service have it; `proxy` is the service name of
    its proxy's spans (`<app label>.<namespace>`); `name` is what people call the proxy. `spans` is how many spans the
    proxy makes for an outgoing request. `traced` says whether the app makes spans itself.
    """

    app: str
    proxy: str
    name: str
    spans: int = 1
    traced: bool = True

    @classmethod
    def sidecar(cls, app: str, namespace: str = "apps", *, traced: bool = True) -> Stop:
        """An app with a sidecar."""
        return cls(app, f"{app}.{namespace}", f"{app}'s sidecar", traced=traced)

    @classmethod
    def gateway(
        cls,
        istio: str,
        app: str = "istio-ingressgateway",
        namespace: str = "istio-system",
        *,
        by_bootstrap: bool = False,
    ) -> Stop:
        """The ingress gateway of that version of Istio. Told to trace `by_bootstrap`, the legacy way, it makes one span
        of a request; told by the Telemetry API it makes `gateway_spans`."""
        spans = 1 if by_bootstrap else gateway_spans(istio)
        return cls(app, f"{app}.{namespace}", "the gateway", spans=spans, traced=False)


@dataclass(frozen=True)
class Hop:
    """One hop as it was found: all outgoing spans of the caller for the callee that sent something, and of each the
    receiving ones below it."""

    caller: Stop
    callee: Stop
    outgoing: tuple[Span, ...]
    receiving: tuple[Span, ...]
    strays: tuple[Span, ...] = field(default=())
    """Receiving spans of the callee that belong to no outgoing one."""


def gateway_spans(istio: str) -> int:
    """How many spans a gateway makes for one request in that version of Istio, such as "1.31.0"."""
    major, minor = (int(part) for part in istio.split(".")[:2])
    return 2 if (major, minor) >= _TWO_SPANS_SINCE else 1


def direction(span: Span) -> Direction | None:
    """Which side of a hop a span is; None for a span that is no proxy's, or that chose no cluster."""
    if span.name != _PROXY_SPAN:
        return None
    cluster = str(span.attributes.get("upstream_cluster") or "")
    return next((side for side in Direction if cluster.startswith(side.value)), None)


def hops(trace: Trace, way: Sequence[Stop]) -> list[Hop]:
    """The hops of a way, first to last, as they were found in a trace."""
    return [_hop(trace, caller, callee) for caller, callee in pairwise(way)]


def pairs_missing(trace: Trace, way: Sequence[Stop]) -> list[str]:
    """Why the hops are not all pairs, each below the one before."""
    found: list[str] = []
    before: Hop | None = None
    for hop in hops(trace, way):
        broken = f"the trace is broken between {hop.caller.app} and {hop.callee.app}"
        if not hop.outgoing:
            found.append(f"{broken}: {hop.caller.name} has no outgoing span for {hop.callee.app}")
        elif not hop.receiving and hop.strays:
            found.append(f"{broken}: the receiving span of {hop.callee.name} is not the child of the outgoing one")
        elif not hop.receiving:
            found.append(f"{broken}: {hop.callee.name} has no receiving span")
        elif (len(hop.outgoing), len(hop.receiving)) != (1, 1):
            counts = f"{len(hop.outgoing)} outgoing and {len(hop.receiving)} receiving spans"
            found.append(f"the hop from {hop.caller.app} to {hop.callee.app} is no pair: {counts}")
        else:
            found += _wrong_front(trace, hop)
        if before and before.receiving and hop.outgoing and not _below(trace, hop.outgoing[0], before.receiving[0]):
            found.append(f"{broken}: the outgoing span of {hop.caller.name} is not below its receiving one")
        before = hop
    return found


def app_spans_missing(trace: Trace, way: Sequence[Stop]) -> list[str]:
    """Which apps on the way have no span of their own where it belongs: between the two spans of their sidecar, and at
    the end of the way below the receiving one. Only for traces whose pairs are all there."""
    found = []
    chain = hops(trace, way)
    for hop, following in zip(chain, [*chain[1:], None], strict=True):
        app = hop.callee
        if not app.traced or not hop.receiving:
            continue
        if following is None:
            between = list(trace.descendants(hop.receiving[0]))
            where = f"below the receiving span of {app.name}"
        elif following.outgoing:
            between = list(_until(trace.ancestors(following.outgoing[0]), hop.receiving[0]))
            where = f"between the two spans of {app.name}"
        else:
            continue
        if not any(span.service == app.app for span in between):
            seen = ", ".join(described(span) for span in between) or "nothing"
            found.append(f"{app.app} has no span of its own {where}: {seen} is there")
    return found


def told(trace: Trace, way: Sequence[Stop], expected: Mapping[str, Callable[[Hop, Span], str | None]]) -> list[str]:
    """What the proxies' spans of the hops say wrongly. `expected` has for each fact (a word for it) a function that
    gives the complaint about a span of a hop, or None."""
    found = []
    for hop in hops(trace, way):
        for span in (*hop.outgoing, *hop.receiving):
            complaints = ((fact, complain(hop, span)) for fact, complain in expected.items())
            found += [f"the {fact} of {described(span)} is {words}" for fact, words in complaints if words]
    return found


def _hop(trace: Trace, caller: Stop, callee: Stop) -> Hop:
    candidates = [span for span in trace.spans if span.service == caller.proxy and _leads_to(span, callee)]
    fronts = {parent.span_id for span in candidates if (parent := trace.by_id.get(span.parent_id)) in candidates}
    outgoing = tuple(span for span in candidates if span.span_id not in fronts)
    arrived = [span for span in trace.spans if span.service == callee.proxy and direction(span) is Direction.RECEIVING]
    senders = {span.span_id for span in outgoing}
    return Hop(
        caller=caller,
        callee=callee,
        outgoing=outgoing,
        receiving=tuple(span for span in arrived if span.parent_id in senders),
        strays=tuple(span for span in arrived if span.parent_id not in senders),
    )


def _leads_to(span: Span, callee: Stop) -> bool:
    if direction(span) is not Direction.OUTGOING:
        return False
    host = str(span.attributes["upstream_cluster"]).rpartition("|")[2]
    return host.partition(".")[0] == callee.app


def _wrong_front(trace: Trace, hop: Hop) -> list[str]:
    above = 0
    for span in trace.ancestors(hop.outgoing[0]):
        if span.service != hop.caller.proxy or direction(span) is not Direction.OUTGOING:
            break
        above += 1
    if above + 1 == hop.caller.spans:
        return []
    return [f"{hop.caller.name} made {above + 1} spans of one request, not {hop.caller.spans}"]


def _below(trace: Trace, span: Span, above: Span) -> bool:
    return any(ancestor.span_id == above.span_id for ancestor in trace.ancestors(span))


def _until(spans: Iterator[Span], last: Span) -> Iterator[Span]:
    for span in spans:
        if span.span_id == last.span_id:
            return
        yield span
