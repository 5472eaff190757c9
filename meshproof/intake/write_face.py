"""The face that agents write to: Datadog's intake endpoints."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from meshproof.intake.documents import process_reply
from meshproof.intake.journal import Entry
from meshproof.intake.payloads import check
from meshproof.intake.rejections import Rejected, too_large
from meshproof.intake.store import Store

__all__ = ["KINDS", "WriteFace"]

# Paths: datadog-agent comp/forwarder endpoints.go, pkg/trace writer, pkg/logs; without a slash at the end.
KINDS: dict[str, str] = {
    "/api/v0.2/traces": "traces",
    "/api/v0.2/stats": "stats",
    "/api/v2/logs": "logs",
    "/v1/input": "logs",
    "/api/v1/series": "series_v1",
    "/api/v2/series": "series_v2",
    "/api/beta/sketches": "sketches",
    "/api/v1/check_run": "check_run",
    "/api/v1/events": "event",
    "/intake": "intake",
    "/api/v1/metadata": "metadata",
    "/api/v2/host_metadata": "metadata",
    "/api/v1/collector": "frame",
    "/api/v1/container": "frame",
    "/api/v1/connections": "frame",
    "/api/v1/discovery": "frame",
    "/api/v1/orchestrator": "frame",
    "/api/v2/orch": "frame",
    "/api/v2/orchmanif": "frame",
    "/api/v2/profile": "profile",
    "/v1/input/profile": "profile",
    "/api/v2/contimage": "event_platform",
    "/api/v2/contlcycle": "event_platform",
    "/api/v2/sbom": "event_platform",
    "/api/v2/agentdiscovery": "event_platform",
    "/api/v2/agenthealth": "event_platform",
    "/support/flare": "flare",
    "/v0.4/traces": "tracer",
}
_WANT_A_FRAME = frozenset({"/api/v1/collector", "/api/v1/container", "/api/v1/connections", "/api/v1/discovery"})
# A body this small is checked at once; a larger one must not hold up the others.
_CHECKED_AT_ONCE = 64 * 1024
_BODY_SECONDS = 30.0


class WriteFace:
    """Answers after the payload is on disk: 2xx means that it will not be lost."""

    def __init__(self, store: Store, count: Callable[[str, str, int], None]) -> None:
        self._store = store
        self._count = count
        self._in_flight = 0

    async def receive(self, request: Request) -> Response:
        path = request.url.path.rstrip("/") or "/"
        kind = "logs" if path.startswith("/v1/input/") and path not in KINDS else KINDS.get(path)
        # A key may stand in the path; it must not be kept or counted.
        shown = "/v1/input" if path.startswith("/v1/input/") and path not in KINDS else path
        if kind is None:
            self._count("unknown", shown, 1)
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return JSONResponse({})
        held = 0
        try:
            body, held = await self._body(request)
            items = await self._take(kind or "unknown", shown, body, request)
        except ClientDisconnect:
            self._count("disconnected", shown, 1)
            return Response(status_code=400)
        finally:
            self._in_flight -= held
        self._count("accepted", shown, 1)
        self._count("items", shown, items)
        if shown in _WANT_A_FRAME:
            return Response(process_reply(), 200, media_type="application/x-protobuf")
        if kind == "tracer":
            return JSONResponse({"rate_by_service": {}})
        return JSONResponse({} if kind == "logs" else {"status": "ok", "errors": []}, 202)

    async def _body(self, request: Request) -> tuple[bytes, int]:
        limits = self._store.limits
        parts: list[bytes] = []
        held = 0
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for part in request.stream():
                    parts.append(part)
                    held += len(part)
                    self._in_flight += len(part)
                    if held > limits.body:
                        raise too_large(f"the body has more than {limits.body} bytes")
                    if self._in_flight > limits.in_flight:
                        raise Rejected(503, "in_flight", "too much is being sent at once: send it again later")
        except TimeoutError as error:
            self._in_flight -= held
            raise Rejected(408, "slow", f"the body did not arrive in {_BODY_SECONDS:g} s") from error
        except BaseException:
            self._in_flight -= held
            raise
        return b"".join(parts), held

    async def _take(self, kind: str, path: str, body: bytes, request: Request) -> int:
        if body.strip() in (b"", b"{}", b"[]"):
            self._count("probes", path, 1)
            return 0
        headers = request.headers
        encoding, content_type = headers.get("content-encoding", ""), headers.get("content-type", "")
        entry = Entry(kind, path, int(time.time() * 1000), encoding[:40], content_type[:300], body)
        if len(body) <= _CHECKED_AT_ONCE:
            items = check(entry, self._store.limits)
        else:
            items = await to_thread.run_sync(check, entry, self._store.limits)
        if items:
            await asyncio.wrap_future(self._store.accept(entry))
        return items
