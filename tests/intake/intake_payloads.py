"""Payloads as agents send them, made for the tests."""

from __future__ import annotations

import time
from typing import Any

from meshproof.intake.wire import message

ENVOY = {
    "component": "proxy",
    "http.method": "GET",
    "http.status_code": "200",
    "http.url": "http://goapi/books/1",
    "upstream_cluster": "inbound|8080||",
    "upstream_cluster.name": "inbound|8080||;",
    "guid:x-request-id": "9e1b",
}


def span(**changes: Any) -> dict[str, Any]:
    """A span of Envoy; `meta` and `metrics` are added to the usual ones."""
    plain: dict[str, Any] = {
        "service": "goapi.apps",
        "name": "envoy.proxy",
        "resource": "goapi.apps.svc.cluster.local:80/*",
        "trace_id": 0x11112222333344445555666677778888,
        "span_id": 7,
        "parent_id": 3,
        "start": time.time_ns(),
        "duration": 12_000_000,
        "error": 0,
        "type": "web",
    }
    meta = {**ENVOY, **changes.pop("meta", {})}
    return {**plain, "meta": meta, "metrics": {"process_id": 17.0, **changes.pop("metrics", {})}, **changes}


def text_form(*spans: dict[str, Any], container_tags: str = "", env: str = "test") -> bytes:
    """AgentPayload with field 5: texts in place, the upper half of the trace id on the first span only."""
    chunk = message("TraceChunk")(priority=1)
    for number, it in enumerate(spans):
        meta = {**it["meta"], **({"_dd.p.tid": f"{it['trace_id'] >> 64:016x}"} if number == 0 else {})}
        made = message("Span")(
            service=it["service"],
            name=it["name"],
            resource=it["resource"],
            trace_id=it["trace_id"] & (2**64 - 1),
            span_id=it["span_id"],
            parent_id=it["parent_id"],
            start=it["start"],
            duration=it["duration"],
            error=it["error"],
            type=it["type"],
        )
        made.meta.extend(_text(name, value) for name, value in meta.items())
        made.metrics.extend(
            message("NumberEntry")(key=name, value=value).SerializeToString() for name, value in it["metrics"].items()
        )
        chunk.spans.append(made.SerializeToString())
    tracer = message("TracerPayload")(env=env, hostname="node-1", chunks=[chunk.SerializeToString()])
    if container_tags:
        tracer.tags.append(_text("_dd.tags.container", container_tags))
    agent = message("AgentPayload")(host_name="node-1", tracer_payloads=[tracer.SerializeToString()])
    return bytes(agent.SerializeToString())


def table_form(*spans: dict[str, Any], container_tags: str = "", env: str = "test") -> bytes:
    """AgentPayload with field 11: texts in a table of strings."""
    strings: dict[str, int] = {"": 0}

    def ref(text: str) -> int:
        return strings.setdefault(text, len(strings))

    def entry(name: str, value: str | float) -> bytes:
        made = message("IdxEntry")(key=ref(name))
        if isinstance(value, str):
            made.value.string_ref = ref(value)
        else:
            made.value.number = value
        return bytes(made.SerializeToString())

    chunk = message("IdxTraceChunk")(priority=1, trace_id=spans[0]["trace_id"].to_bytes(16, "big"))
    for it in spans:
        made = message("IdxSpan")(
            service_ref=ref(it["service"]),
            name_ref=ref(it["name"]),
            resource_ref=ref(it["resource"]),
            span_id=it["span_id"],
            parent_id=it["parent_id"],
            start=it["start"],
            duration=it["duration"],
            error=bool(it["error"]),
            type_ref=ref(it["type"]),
            env_ref=ref(env),
            kind=1,
        )
        made.attributes.extend(entry(name, value) for name, value in {**it["meta"], **it["metrics"]}.items())
        chunk.spans.append(made.SerializeToString())
    tracer = message("IdxTracerPayload")(hostname_ref=ref("node-1"), chunks=[chunk.SerializeToString()])
    if container_tags:
        tracer.attributes.append(entry("_dd.tags.container", container_tags))
    tracer.strings.extend(strings)
    agent = message("AgentPayload")(host_name="node-1", idx_tracer_payloads=[tracer.SerializeToString()])
    return bytes(agent.SerializeToString())


def log_line(text: str, **changes: Any) -> dict[str, Any]:
    return {
        "message": text,
        "status": "info",
        "timestamp": int(time.time() * 1000),
        "hostname": "node-1",
        "service": "goapi",
        "ddsource": "goapi",
        "ddtags": "kube_namespace:apps,container_name:goapi",
        **changes,
    }


def frame(kind: int, body: bytes, encoding: int = 0) -> bytes:
    """A process frame of version 3."""
    return bytes([3, encoding, kind]) + bytes(13) + body


def _text(name: str, value: str) -> bytes:
    return bytes(message("TextEntry")(key=name, value=value).SerializeToString())
