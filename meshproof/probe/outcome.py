"""The typed end of one request: an answer, or a refusal of a known kind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Answered", "Outcome", "Reason", "Refused"]

_SHOWN = 2000


class Reason(StrEnum):
    """Why a request got no answer, as the client saw it."""

    DNS = "dns"
    """The name has no address."""
    CONNECTION_REFUSED = "connection refused"
    """The address answered the connection attempt with a reset: nobody listens there."""
    UNREACHABLE = "unreachable"
    """No way to the address."""
    TIMEOUT = "timeout"
    """Not done in time, in whatever phase."""
    RESET_IN_HANDSHAKE = "reset in handshake"
    """Connected, then reset before the TLS handshake of this client was done."""
    TLS = "tls"
    """The TLS handshake failed by the words of one side: certificate, version, alert.

    With TLS 1.3 a server tells only afterwards that it wants a client certificate; its reset can overtake those words.
    """
    RESET = "reset"
    """Connected, and reset before a whole answer came."""
    EMPTY_REPLY = "empty reply"
    """Connected, and closed in good order before an answer began."""
    TRUNCATED = "truncated"
    """The answer ended before its announced length."""
    PROTOCOL = "protocol"
    """Bytes came that are not HTTP as it should be."""
    OTHER = "other"
    """None of these; the detail has the client's own words."""


@dataclass(frozen=True)
class Answered:
    """A whole HTTP answer, whatever its status.

    `headers` have lower-case names, of repeated ones the last; `raw_headers` has all, as they came. `seconds` run from
    before the connection to the last byte. `peer` and `local` are "ADDRESS:PORT", as the client saw its connection.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    raw_headers: tuple[tuple[str, str], ...] = ()
    http_version: str = "HTTP/1.1"
    peer: str | None = None
    local: str | None = None
    request_id: str = ""

    @property
    def text(self) -> str:
        """The body as UTF-8 text."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """The body's JSON. Raises ValueError."""
        return json.loads(self.body)

    def as_evidence(self) -> dict[str, Any]:
        """JSON-able, long and binary bodies by length and hash."""
        return {
            "outcome": "answered",
            "status": self.status,
            "headers": [list(pair) for pair in self.raw_headers] or [list(pair) for pair in self.headers.items()],
            "body": _shown(self.body),
            "http_version": self.http_version,
            "seconds": round(self.seconds, 6),
            "peer": self.peer,
            "local": self.local,
            "request_id": self.request_id,
        }

    def __str__(self) -> str:
        return f"answered {self.status} in {self.seconds * 1000:.0f} ms: {_shown(self.body[:200])!r}"


@dataclass(frozen=True)
class Refused:
    """No whole HTTP answer. `detail` is what the client said; `status` is set when an answer had begun."""

    reason: Reason
    detail: str
    seconds: float
    peer: str | None = None
    local: str | None = None
    status: int | None = None
    request_id: str = ""
    trace: tuple[str, ...] = field(default=(), repr=False)

    def as_evidence(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "outcome": "refused",
            "reason": self.reason.value,
            "detail": self.detail,
            "seconds": round(self.seconds, 6),
            "peer": self.peer,
            "local": self.local,
            "status": self.status,
            "request_id": self.request_id,
            "trace": list(self.trace),
        }

    def __str__(self) -> str:
        return f"refused ({self.reason}) after {self.seconds * 1000:.0f} ms: {self.detail}"


Outcome = Answered | Refused


def folded(raw_headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name, of repeated ones the last."""
    return {name.lower(): value for name, value in raw_headers}


def _shown(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"<{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()}>"
    if len(text) <= _SHOWN:
        return text
    return f"{text[:_SHOWN]} ... <{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()}>"
