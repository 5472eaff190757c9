"""The intake as a server: put together, run in the foreground, or on a thread of its own."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from starlette.routing import Route, Router
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from meshproof.errors import UsageError
from meshproof.intake.control_face import control_routes
from meshproof.intake.faults import Faults
from meshproof.intake.gate import OPEN_PATHS, TRACER_PATHS, Connections, Gate
from meshproof.intake.limits import Limits
from meshproof.intake.read_face import read_routes
from meshproof.intake.rejections import Rejected
from meshproof.intake.spoils import Spoils
from meshproof.intake.store import Store
from meshproof.intake.write_face import WriteFace

__all__ = ["IntakeSettings", "running", "serve"]

_METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True)
class IntakeSettings:
    """Where the intake listens and keeps its data, and the only API key that it takes.

    `pipelines`: log pipelines in Datadog's JSON shapes, set at the start in place of the ones that are stored.
    `tracers`: take traces of tracers that send without an agent, and so without a key.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 8080
    key: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    limits: Limits = field(default_factory=Limits)
    pipelines: Sequence[dict[str, Any]] | None = None
    tracers: bool = False


def _application(store: Store, settings: IntakeSettings, connections: Connections) -> ASGIApp:
    faults, spoils = Faults(), Spoils()
    # The write face counts through the gate, which is made around the application that holds the write face.
    write = WriteFace(store, lambda what, path, number: gate.count(what, path, number))
    last = Route("/{path:path}", write.receive, methods=_METHODS)
    router = Router([*read_routes(store, spoils), *control_routes(store, faults, spoils), last], redirect_slashes=False)
    open_paths = OPEN_PATHS | TRACER_PATHS if settings.tracers else OPEN_PATHS
    gate = Gate(router, settings.key, faults, connections, store.counts, open_paths=open_paths)
    return gate


class _Protocol(HttpToolsProtocol):
    def __init__(self, *arguments: Any, connections: Connections, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._connections = connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._connections.opened(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.closed(self.transport)
        super().connection_lost(exc)


def _server(store: Store, settings: IntakeSettings) -> uvicorn.Server:
    connections = Connections()
    config = uvicorn.Config(
        _application(store, settings, connections),
        host=settings.host,
        port=settings.port,
        http=partial(_Protocol, connections=connections),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        access_log=False,  # a key may stand in the address
        log_level="warning",
        server_header=False,
        backlog=512,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def _store(settings: IntakeSettings) -> Store:
    try:
        store = Store(settings.folder, settings.limits)
    except Exception as error:
        raise UsageError(
            f"the intake cannot open its data in {settings.folder}",
            seen=f"{type(error).__name__}: {error}",
            remedy="end the other intake that uses this folder, or choose another one",
        ) from error
    if settings.pipelines is not None:
        try:
            store.set_pipelines([{"id": str(number), **it} for number, it in enumerate(settings.pipelines)])
        except Rejected as error:
            store.close()
            raise UsageError(
                "the log pipelines cannot be used", seen=error.detail, remedy="correct the file"
            ) from error
    return store


def _listening(settings: IntakeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is stated; socket.create_server leaves it out.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(512)
        return listener
    except OSError as error:
        listener.close()
        raise UsageError(
            f"the intake cannot listen on {settings.host}:{settings.port}",
            seen=error.strerror,
            remedy="choose another --port",
        ) from error


def serve(settings: IntakeSettings, announce: Callable[[str], None] = lambda _: None) -> None:
    """Run until SIGINT or SIGTERM; `announce` gets the address when it is open.

    Raises UsageError when the port or the folder is taken.
    """
    # uvicorn raises the signal again when it has stopped: that must not skip the closing of the store.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt), _listening(settings) as listener, closing(_store(settings)) as store:
        announce(_address(listener))
        _server(store, settings).run(sockets=[listener])


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def running(settings: IntakeSettings) -> Iterator[str]:
    """An intake on a thread of this process for as long as the context lasts; yields its address `http://host:port`.

    With port 0 the system chooses one. Raises UsageError when the port or the folder is taken.
    """
    with _listening(settings) as listener, closing(_store(settings)) as store:
        server = _server(store, settings)
        # Listening has begun: connections wait until the thread takes them.
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, name="intake-server", daemon=True)
        thread.start()
        try:
            yield _address(listener)
        finally:
            server.should_exit = True
            thread.join()
