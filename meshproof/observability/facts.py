"""What single spans say: status, environment, resource, version. A complaint is a few words, None when all is well."""

from __future__ import annotations

import re

from meshproof.intake.backend import Span
from meshproof.observability.hops import Hop

__all__ = ["named_version", "status", "subset", "wrong_environment", "wrong_resource", "wrong_status"]


def status(span: Span) -> str:
    """The HTTP status that a span tells; tracers write it as text or as a number."""
    value = span.attributes.get("http.status_code", "no status")
    return f"{value:g}" if isinstance(value, float) else value


def subset(span: Span) -> str:
    """The subset of a DestinationRule that a proxy's outgoing span was sent to; empty when there is none."""
    parts = str(span.attributes.get("upstream_cluster", "")).split("|")
    return parts[2] if len(parts) == 4 else ""


def named_version(span: Span) -> str | None:
    """The version of the app that a span of its own tells."""
    value = span.attributes.get("version")
    if value is not None:
        return str(value)
    return next((tag.partition(":")[2] for tag in span.tags if tag.startswith("version:")), None)


def wrong_status(span: Span, expected: int) -> str | None:
    """A span is an error when its status is 5xx, and only then."""
    if status(span) != str(expected):
        return f"{status(span)}, not {expected}"
    if span.error != (expected >= 500):
        return f"{expected} and {'an' if span.error else 'no'} error"
    return None


def wrong_environment(span: Span, expected: str) -> str | None:
    return None if span.env == expected else f"{span.env!r}, not {expected!r}"


def wrong_resource(hop: Hop, span: Span, namespace: str = "apps") -> str | None:
    """Istio's route decorator: host, port and path; of several destinations the VirtualService. A gateway's second span
    has the name of the cluster that it leads to."""
    app = re.escape(hop.callee.app)
    host = rf"{app}\.{namespace}\.svc\.cluster\.local"
    pattern = rf"({app}-vs|{host}):\d+/\*|router outbound\|\d+\|\w*\|{host};? egress"
    return None if re.fullmatch(pattern, span.resource) else f"{span.resource!r}, which is not {hop.callee.app}'s"
