"""Requests from the machine that the suite runs on."""

from __future__ import annotations

import errno
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from meshproof.errors import UsageError
from meshproof.probe.outcome import Answered, Outcome, Reason, Refused, folded
from meshproof.probe.request import Request

__all__ = ["HostVantage"]

_ERRNO_REASONS = {
    errno.ECONNREFUSED: Reason.CONNECTION_REFUSED,
    errno.ECONNRESET: Reason.RESET,
    errno.EPIPE: Reason.RESET,
    errno.ECONNABORTED: Reason.RESET,
    errno.EHOSTUNREACH: Reason.UNREACHABLE,
    errno.ENETUNREACH: Reason.UNREACHABLE,
    errno.EHOSTDOWN: Reason.UNREACHABLE,
    errno.EADDRNOTAVAIL: Reason.UNREACHABLE,
    errno.ETIMEDOUT: Reason.TIMEOUT,
}


class HostVantage:
    """Sends from this process. For HTTPS it trusts `ca` (PEM file) alone when given, else the usual authorities."""

    def __init__(self, *, ca: Path | None = None, name: str = "host") -> None:
        """Raises UsageError for a `ca` that is not a PEM file of certificates."""
        self.name = name
        try:
            self._tls = ssl.create_default_context(cafile=str(ca) if ca is not None else None)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"cannot use {ca} as certificate authority", seen=error) from error

    def send(self, request: Request) -> Outcome:
        """See Vantage."""
        connection = _Connection()
        began = time.monotonic()
        try:
            return self._exchange(request, connection, began)
        except (httpx.HTTPError, httpx.StreamError, ValueError) as error:
            reason, detail = _diagnosed(error, connection)
            return Refused(
                reason,
                detail,
                time.monotonic() - began,
                peer=connection.peer,
                local=connection.local,
                status=connection.status,
                request_id=request.request_id,
                trace=tuple(connection.events),
            )

    def send_all(self, requests: Sequence[Request], *, parallel: int = 1) -> list[Outcome]:
        """See Vantage."""
        with ThreadPoolExecutor(max_workers=max(parallel, 1)) as pool:
            return list(pool.map(self.send, requests))

    def _exchange(self, request: Request, connection: _Connection, began: float) -> Outcome:
        url = httpx.URL(request.url)
        address, port = request.target()
        headers = request.sent_headers()
        headers.setdefault("host", url.netloc.decode())
        extensions = {
            "sni_hostname": url.host,
            "timeout": httpx.Timeout(request.timeout).as_dict(),
            "trace": connection.trace,
            "target": request.path.encode(),
        }
        message = httpx.Request(
            request.method,
            url.copy_with(host=address, port=port),
            headers=headers,
            content=request.body,
            extensions=extensions,
        )
        # A transport of its own: no connection is shared, and nothing of the environment (proxies) takes part.
        with httpx.HTTPTransport(verify=self._tls, trust_env=False) as transport:
            answer = transport.handle_request(message)
            connection.status = answer.status_code
            body = b"".join(_before(request.timeout - (time.monotonic() - began), answer.stream))
            answer.close()
        raw = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers.raw)
        version = answer.extensions.get("http_version", b"HTTP/1.1").decode()
        return Answered(
            answer.status_code,
            folded(raw),
            body,
            time.monotonic() - began,
            raw_headers=raw,
            http_version=version,
            peer=connection.peer,
            local=connection.local,
            request_id=request.request_id,
        )


class _Connection:
    """What httpcore tells of the one connection: its events, by name, and both its addresses."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.peer: str | None = None
        self.local: str | None = None
        self.status: int | None = None

    def trace(self, event: str, info: dict[str, Any]) -> None:
        self.events.append(event)
        if event == "connection.connect_tcp.complete":
            stream = info["return_value"]
            self.peer = _address(stream.get_extra_info("server_addr"))
            self.local = _address(stream.get_extra_info("client_addr"))

    @property
    def in_handshake(self) -> bool:
        return "connection.start_tls.started" in self.events and "connection.start_tls.complete" not in self.events


def _before(seconds: float, chunks: Any) -> Iterator[bytes]:
    deadline = time.monotonic() + seconds
    for chunk in chunks:
        yield chunk
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the body did not end in time")


def _address(pair: Any) -> str | None:
    if not pair:
        return None
    host, port = pair[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _diagnosed(error: Exception, connection: _Connection) -> tuple[Reason, str]:
    causes = list(_causes(error))
    detail = next((str(cause) for cause in reversed(causes) if str(cause)), type(error).__name__)
    if isinstance(error, httpx.TimeoutException):
        return Reason.TIMEOUT, detail
    if isinstance(error, httpx.RemoteProtocolError):
        if "without sending a response" in detail:
            return Reason.EMPTY_REPLY, detail
        return (Reason.TRUNCATED if "peer closed connection" in detail else Reason.PROTOCOL), detail
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return Reason.DNS, detail
        if isinstance(cause, ssl.SSLError):
            return Reason.TLS, detail
        if isinstance(cause, OSError) and cause.errno in _ERRNO_REASONS:
            reason = _ERRNO_REASONS[cause.errno]
            if reason is Reason.RESET and connection.in_handshake:
                reason = Reason.RESET_IN_HANDSHAKE
            return reason, detail
    return Reason.OTHER, detail


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
