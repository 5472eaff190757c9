"""The trace of one request through the mesh, as the backend shows it when all is well; tests spoil it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from meshproof.intake.backend import Span
from meshproof.observability.hops import Stop
from meshproof.observability.traces import Trace, assemble

TRACE = "11112222333344445555666677778888"
BEGAN = 1_795_261_150_000_000_000
MS = 1_000_000
WAY = [Stop.gateway("1.31.0"), Stop.sidecar("text-to-speech"), Stop.sidecar("goapi")]
SPEECH = "text-to-speech.apps.svc.cluster.local"
GOAPI = "goapi.apps.svc.cluster.local"

# id, parent, service, name, resource, upstream cluster, start and duration in ms
_JOURNEY: tuple[tuple[int, int, str, str, str, str, int, int], ...] = (
    (1, 0, "istio-ingressgateway.istio-system", "envoy.proxy", "text-to-speech-vs:80/*",
     f"outbound|80|v1|{SPEECH}", 0, 90),
    (2, 1, "istio-ingressgateway.istio-system", "envoy.proxy", f"router outbound|80|v1|{SPEECH}; egress",
     f"outbound|80|v1|{SPEECH}", 1, 88),
    (3, 2, "text-to-speech.apps", "envoy.proxy", f"{SPEECH}:80/*", "inbound|8080||", 3, 84),
    (4, 3, "text-to-speech", "http.request", "GET /speak", "", 4, 82),
    (5, 4, "text-to-speech", "http.request", "GET /books", "", 6, 20),
    (6, 5, "text-to-speech.apps", "envoy.proxy", f"{GOAPI}:80/*", f"outbound|80||{GOAPI}", 8, 17),
    (7, 6, "goapi.apps", "envoy.proxy", f"{GOAPI}:80/*", "inbound|8080||", 10, 14),
    (8, 7, "goapi", "http.request", "GET /books", "", 11, 12),
)  # fmt: skip


def journey(**changes: Any) -> dict[int, Span]:
    """The spans by number. `changes`: fields for all of them."""
    return {
        number: replace(
            Span(
                trace_id=TRACE,
                span_id=str(number),
                parent_id=str(parent),
                service=service,
                name=name,
                resource=resource,
                type="web",
                env="meshproof",
                host="node-1",
                start=BEGAN + start * MS,
                duration=duration * MS,
                error=False,
                tags=frozenset(),
                attributes={"http.status_code": "200", **({"upstream_cluster": cluster} if cluster else {})},
            ),
            **changes,
        )
        for number, parent, service, name, resource, cluster, start, duration in _JOURNEY
    }


def trace_of(spans: dict[int, Span]) -> Trace:
    """The one trace that they make."""
    (trace,) = assemble(spans.values()).values()
    return trace


def without(*numbers: int) -> Trace:
    """The journey with some spans lost."""
    return trace_of({number: span for number, span in journey().items() if number not in numbers})


def with_changed(number: int, **changes: Any) -> Trace:
    """The journey with one span that is otherwise."""
    spans = journey()
    spans[number] = replace(spans[number], **changes)
    return trace_of(spans)
