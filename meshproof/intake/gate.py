"""What every request passes first: faults on purpose, rate limits, the API key; and what becomes of errors."""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
import struct
from collections import Counter
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meshproof.intake.faults import Fault, Faults
from meshproof.intake.rejections import Rejected

__all__ = ["OPEN_PATHS", "TRACER_PATHS", "Connections", "Gate", "refusal"]

OPEN_PATHS = frozenset({"/meshproof/health"})
# Tracers have no key: they talk to an agent, which has one.
TRACER_PATHS = frozenset({"/v0.4/traces", "/info"})
_KEY_IN_PATH = "/v1/input/"
_MOST_PATHS = 200
_DRAINED_BYTES = 32 * 1024 * 1024
_DRAINED_SECONDS = 5.0

log = logging.getLogger(__name__)


class Connections:
    """The server's open connections by the client's address, so that one can be reset."""

    def __init__(self) -> None:
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}

    def opened(self, transport: asyncio.Transport) -> None:
        self._transports[_address(transport.get_extra_info("peername"))] = transport

    def closed(self, transport: asyncio.Transport) -> None:
        self._transports.pop(_address(transport.get_extra_info("peername")), None)

    def reset(self, client: Any) -> None:
        transport = self._transports.get(_address(client))
        if transport is None:
            return
        connection = transport.get_extra_info("socket")
        # Lingering for zero seconds makes the kernel send RST instead of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


def _address(peer: Any) -> tuple[str, int]:
    return (str(peer[0]), int(peer[1])) if peer else ("", 0)


class Gate:
    """ASGI middleware. Counts into `counts`; `/meshproof/...` is never subject to faults."""

    def __init__(
        self,
        app: ASGIApp,
        key: str,
        faults: Faults,
        connections: Connections,
        counts: Counter[str],
        *,
        open_paths: frozenset[str] = OPEN_PATHS,
    ) -> None:
        self._app = app
        self._key = key.encode()
        self._faults = faults
        self._connections = connections
        self._counts = counts
        self._open = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        receive = _Body(receive)
        limited: dict[str, str] = {}
        try:
            if not path.startswith("/meshproof/"):
                fault = self._faults.decide(scope["method"], path)
                if fault is not None:
                    await self._inject(fault, path, scope, receive, send)
                    return
                allowed, limited = self._faults.rate_limit(path)
                if not allowed:
                    self.count("rate_limited", path)
                    raise Rejected(429, "rate_limited", "Too many requests")
            self._check_key(scope)
            await self._app(scope, receive, _with_headers(send, limited))
        except Rejected as rejected:
            self.count(f"rejected:{rejected.reason}", path)
            await receive.drain()
            await refusal(rejected, limited)(scope, receive, send)
        except Exception:
            log.exception("%s %s failed", scope["method"], path)
            self.count("internal_errors", path)
            await JSONResponse({"errors": ["internal error"]}, 500)(scope, receive, send)

    def count(self, what: str, path: str, number: int = 1) -> None:
        """Count for a path; the paths that are told apart are limited in number."""
        name = f"{what}:{path}"
        if name not in self._counts and len(self._counts) > _MOST_PATHS:
            name = f"{what}:other"
        self._counts[name] += number

    def _check_key(self, scope: Scope) -> None:
        path = scope["path"]
        if path in self._open:
            return
        given = _given_key(scope)
        harmless = scope["method"] in ("GET", "HEAD", "OPTIONS") and not path.startswith(("/api/", "/meshproof/"))
        if given is None and harmless:
            return
        if given is None or not hmac.compare_digest(given, self._key):
            self.count("foreign", path)
            raise Rejected(403, "foreign_key", "Forbidden")

    async def _inject(self, fault: Fault, path: str, scope: Scope, receive: _Body, send: Send) -> None:
        self.count("reset" if fault.reset else f"fault {fault.status}", path)
        await receive.drain()
        if fault.reset:
            self._connections.reset(scope.get("client"))
            return
        seconds = str(max(1, round(fault.reset_after)))
        # No Retry-After: Datadog sends none, and with one the official client repeats even where it shall not.
        headers = {"X-RateLimit-Reset": seconds, "X-RateLimit-Remaining": "0"}
        answer = JSONResponse(
            {"errors": ["a fault on purpose"]}, fault.status or 500, headers if fault.status in (429, 503) else None
        )
        await answer(scope, receive, send)


def refusal(rejected: Rejected, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"errors": [rejected.detail]}, rejected.status, headers)


def _given_key(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"dd-api-key":
            return bytes(value)
    if scope["path"].startswith(_KEY_IN_PATH):
        return str(scope["path"])[len(_KEY_IN_PATH) :].encode()
    query = scope.get("query_string", b"")
    found = parse_qs(query.decode("latin-1")).get("api_key") if b"api_key" in query else None
    return found[0].encode() if found else None


class _Body:
    """A request's messages; knows whether the body has ended."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self._ended = message["type"] == "http.disconnect" or not message.get("more_body")
        return message

    async def drain(self) -> None:
        """Read a bounded rest, so that the sender sees the answer and not a broken pipe."""
        room = _DRAINED_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAINED_SECONDS):
                while not self._ended and room > 0:
                    room -= len((await self()).get("body", b""))


def _with_headers(send: Send, headers: dict[str, str]) -> Send:
    if not headers:
        return send
    added = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return sending
