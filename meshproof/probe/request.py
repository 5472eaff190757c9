"""One HTTP request, as a vantage is asked to send it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import uuid4

from meshproof.errors import UsageError
from meshproof.timeouts import Timeouts

__all__ = ["Request"]


@dataclass(frozen=True)
class Request:
    """What to send. Redirects are not followed, every request has a connection of its own.

    `host` replaces the Host header only. `connect_to` ("ADDRESS" or "ADDRESS:PORT") replaces the address that is
    connected to; the URL still gives the Host header and the TLS server name. `timeout` is in seconds, for all of it.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    host: str | None = None
    connect_to: str | None = None
    timeout: float = Timeouts().request
    request_id: str = field(default_factory=lambda: str(uuid4()))

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError("a request needs a URL with http or https and a host", seen=repr(self.url))
        if not re.fullmatch(r"[!-~]+", self.url):
            raise UsageError("a URL has only printable ASCII; percent-encode the rest", seen=repr(self.url))

    def sent_headers(self) -> dict[str, str]:
        """All headers that go out besides those that HTTP itself needs.

        The request id is in the user agent too: Envoy gives requests from outside the mesh an x-request-id of its own.
        """
        headers = {
            "accept": "*/*",
            "user-agent": f"meshproof {self.request_id}",
            "x-request-id": self.request_id,
        }
        headers.update({name.lower(): value for name, value in self.headers.items()})
        if self.host is not None:
            headers["host"] = self.host
        return headers

    @property
    def path(self) -> str:
        """What stands in the request line: path and query, unchanged."""
        parts = urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def target(self) -> tuple[str, int]:
        """The address and port that are connected to."""
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if self.connect_to is None:
            return parts.hostname or "", port
        wanted = urlsplit(f"//{self.connect_to}")
        return wanted.hostname or "", wanted.port or port
