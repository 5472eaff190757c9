"""A small API server: it answers what a test tells it to, and runs commands on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import struct
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

Answer = tuple[int, Any]


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


@dataclass
class ApiServer:
    """`answers` by (method, path): a JSON value for 200, an (HTTP status, value) pair, or a function of the request.

    WebSocket paths end in /exec, whose command is run here, and /portforward, which leads to `forward_to`.
    """

    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    protocol: str = "v5.channel.k8s.io"
    forward_to: int | None = None
    retry_after: str | None = None
    exec_status: dict[str, Any] | None = None
    lock: Lock = field(default_factory=Lock)
    url: str = ""

    def answer(self, request: Seen) -> Answer:
        with self.lock:
            self.seen.append(request)
        given = self.answers.get((request.method, request.path))
        if given is None:
            return 404, {"kind": "Status", "message": f"{request.path} not found", "code": 404}
        if isinstance(given, Callable):  # type: ignore[arg-type]
            given = given(request)
        return given if isinstance(given, tuple) else (200, given)

    def requests(self, method: str) -> list[Seen]:
        return [request for request in self.seen if request.method == method]

    def __enter__(self) -> ApiServer:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("content-length") or 0)
                raw = self.rfile.read(length)
                request = Seen(
                    self.command,
                    parts.path,
                    parse_qs(parts.query, keep_blank_values=True),
                    {name.lower(): value for name, value in self.headers.items()},
                    json.loads(raw) if raw else None,
                )
                if request.headers.get("upgrade") == "websocket" and ("GET", parts.path) not in api.answers:
                    with api.lock:
                        api.seen.append(request)
                    self.close_connection = True
                    with suppress(BrokenPipeError):  # the client did not wait for the end
                        _serve_channels(api, request, self.connection)
                    return
                code, value = api.answer(request)
                data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
                self.send_response(code)
                self.send_header("content-length", str(len(data)))
                if api.retry_after is not None and code == 429:
                    self.send_header("retry-after", api.retry_after)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _serve_channels(api: ApiServer, request: Seen, connection: socket.socket) -> None:
    key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    connection.sendall(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        f"sec-websocket-accept: {accept}\r\nsec-websocket-protocol: {api.protocol}\r\n\r\n".encode()
    )
    if request.path.endswith("/exec"):
        _exec(api, request, connection)
    else:
        _port_forward(api, request, connection)


def _exec(api: ApiServer, request: Seen, connection: socket.socket) -> None:
    stdin = b""
    if "stdin" in request.query:
        while (message := _receive(connection)) is not None and message != b"\xff\x00":
            stdin += message[1:]
    status = api.exec_status
    if status is None:
        done = subprocess.run(request.query["command"], input=stdin, capture_output=True, check=False)
        for channel, output in ((1, done.stdout), (2, done.stderr)):
            for start in range(0, len(output), 32 * 1024):
                _send(connection, bytes([channel]) + output[start : start + 32 * 1024])
        status = {"status": "Success"}
        if done.returncode:
            cause = {"reason": "ExitCode", "message": str(done.returncode)}
            status = {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [cause]}}
    _send(connection, b"\x03" + json.dumps(status).encode())
    _send(connection, b"", opcode=8)


def _port_forward(api: ApiServer, request: Seen, connection: socket.socket) -> None:
    port = struct.pack("<H", int(request.query["ports"][0]))
    _send(connection, b"\x00" + port)
    _send(connection, b"\x01" + port)
    if api.forward_to is None:
        _send(connection, b"\x01connection refused")
        _send(connection, b"", opcode=8)
        return
    with socket.create_connection(("127.0.0.1", api.forward_to)) as target:

        def upstream() -> None:
            while (message := _receive(connection)) is not None:
                target.sendall(message[1:])

        Thread(target=upstream, daemon=True).start()
        while data := target.recv(65536):
            _send(connection, b"\x00" + data)
    _send(connection, b"", opcode=8)


def _send(connection: socket.socket, data: bytes, opcode: int = 2) -> None:
    size = len(data)
    length = bytes([size]) if size < 126 else struct.pack("!BH" if size < 65536 else "!BQ", 126 + (size > 65535), size)
    connection.sendall(bytes([0x80 | opcode]) + length + data)


def _receive(connection: socket.socket) -> bytes | None:
    """One message of the client; RFC 6455, section 5.2."""
    head = _exactly(connection, 2)
    if head is None or head[0] & 0x0F == 8:
        return None
    size = head[1] & 0x7F
    if size >= 126:
        size = int.from_bytes(_exactly(connection, 2 if size == 126 else 8) or b"")
    mask = _exactly(connection, 4) or b""
    data = _exactly(connection, size) or b""
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        try:
            part = connection.recv(size - len(data))
        except OSError:
            return None
        if not part:
            return None
        data += part
    return data


def write_kubeconfig(path: Path, server: str, *, current: str | None = "one") -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("one", "two")],
    }
    if current is not None:
        document["current-context"] = current
    path.write_text(yaml.safe_dump(document))
    return path


def kinds(*served: tuple[str, str, bool]) -> dict[str, object]:
    """The API server's list of a group's kinds: (plural, kind, namespaced)."""
    return {"resources": [{"name": name, "kind": kind, "namespaced": spaced} for name, kind, spaced in served]}
