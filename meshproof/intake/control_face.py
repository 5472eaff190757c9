"""What only the embedded intake has, under /meshproof/: health, status, faults, spoils, documents, log pipelines."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from meshproof.intake.faults import Faults
from meshproof.intake.read_face import body_of
from meshproof.intake.rejections import Rejected, malformed
from meshproof.intake.search import Window, events
from meshproof.intake.spoils import Spoils
from meshproof.intake.store import Store
from meshproof.intake.times import milliseconds_of

__all__ = ["control_routes"]

_PIPELINES = "/api/v1/logs/config/pipelines"
_LARGEST_PAGE = 1000


def control_routes(store: Store, faults: Faults, spoils: Spoils) -> list[Route]:
    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def status(_: Request) -> Response:
        return JSONResponse(await to_thread.run_sync(store.status))

    async def show_faults(_: Request) -> Response:
        return JSONResponse(faults.status())

    async def put_faults(request: Request) -> Response:
        faults.replace(await body_of(request))
        return JSONResponse(faults.status())

    async def clear_faults(_: Request) -> Response:
        faults.replace({})
        return JSONResponse(faults.status())

    async def show_spoils(_: Request) -> Response:
        return JSONResponse(spoils.status())

    async def put_spoils(request: Request) -> Response:
        spoils.replace(await body_of(request))
        return JSONResponse(spoils.status())

    async def clear_spoils(_: Request) -> Response:
        spoils.replace({})
        return JSONResponse(spoils.status())

    async def documents(request: Request) -> Response:
        return JSONResponse(await to_thread.run_sync(_documents, store, spoils, dict(request.query_params)))

    async def info(_: Request) -> Response:
        return JSONResponse({"endpoints": ["/v0.4/traces"], "client_drop_p0s": False})

    return [
        Route("/info", info, methods=["GET"]),
        Route("/meshproof/health", health, methods=["GET"]),
        Route("/meshproof/status", status, methods=["GET"]),
        Route("/meshproof/faults", show_faults, methods=["GET"]),
        Route("/meshproof/faults", put_faults, methods=["PUT"]),
        Route("/meshproof/faults", clear_faults, methods=["DELETE"]),
        Route("/meshproof/spoils", show_spoils, methods=["GET"]),
        Route("/meshproof/spoils", put_spoils, methods=["PUT"]),
        Route("/meshproof/spoils", clear_spoils, methods=["DELETE"]),
        Route("/meshproof/documents", documents, methods=["GET"]),
        *_pipeline_routes(store),
    ]


def _documents(store: Store, spoils: Spoils, asked: dict[str, str]) -> dict[str, Any]:
    store.settle()
    now = int(time.time() * 1000)
    start, end = milliseconds_of(asked.get("from") or "0", now), milliseconds_of(asked.get("to") or "now", now)
    window = Window(asked.get("query", ""), start, end)
    limit = asked.get("limit", "100")
    if not limit.isdecimal() or not 1 <= int(limit) <= _LARGEST_PAGE:
        raise Rejected(400, "bad_query", f"limit: {limit[:20]!r}; use 1 to {_LARGEST_PAGE}")
    found = events(
        store.index,
        "documents",
        window,
        spoils,
        limit=int(limit),
        cursor=asked.get("cursor") or None,
        newest_first=True,
    )
    return {"data": found.rows, "after": found.after}


def _pipeline_routes(store: Store) -> list[Route]:
    """Datadog's own paths, so that the official client sets pipelines up in the same way in both backends."""

    async def show(_: Request) -> Response:
        return JSONResponse(store.pipelines)

    async def create(request: Request) -> Response:
        definition = _definition(await body_of(request)) | {"id": uuid.uuid4().hex[:22]}
        await _set(lambda: [*store.pipelines, definition])
        return JSONResponse(definition)

    async def one(request: Request) -> Response:
        return JSONResponse(_known(store, request.path_params["number"]))

    async def update(request: Request) -> Response:
        known = _known(store, request.path_params["number"])
        definition = _definition(await body_of(request)) | {"id": known["id"]}
        await _set(lambda: [definition if it["id"] == known["id"] else it for it in store.pipelines])
        return JSONResponse(definition)

    async def delete(request: Request) -> Response:
        known = _known(store, request.path_params["number"])
        await _set(lambda: [it for it in store.pipelines if it["id"] != known["id"]])
        return JSONResponse({})

    async def _set(definitions: Callable[[], list[dict[str, Any]]]) -> None:
        # Logs that were accepted before keep the pipelines of their time.
        await to_thread.run_sync(store.settle)
        await to_thread.run_sync(lambda: store.set_pipelines(definitions()))

    return [
        Route(_PIPELINES, show, methods=["GET"]),
        Route(_PIPELINES, create, methods=["POST"]),
        Route(_PIPELINES + "/{number}", one, methods=["GET"]),
        Route(_PIPELINES + "/{number}", update, methods=["PUT"]),
        Route(_PIPELINES + "/{number}", delete, methods=["DELETE"]),
    ]


def _definition(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict) or not isinstance(body.get("name"), str):
        raise malformed("a pipeline is an object with a name")
    return {"is_enabled": True, "is_read_only": False, "type": "pipeline", **body}


def _known(store: Store, number: str) -> dict[str, Any]:
    for definition in store.pipelines:
        if definition["id"] == number:
            return definition
    raise Rejected(404, "not_found", "no such pipeline")
