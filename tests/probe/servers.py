"""Real servers on this machine that answer, reset, close, hang or talk nonsense."""

from __future__ import annotations

import atexit
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

Behaviour = Callable[[socket.socket], None]


@contextmanager
def listening(behave: Behaviour, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[int]:
    """A server on a free port, which is given; each connection is handed to `behave` and then closed."""
    stop = Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if tls is None:
                behave(connection)
            else:
                behave_in(tls, connection)

    def behave_in(tls: ssl.SSLContext, connection: socket.socket) -> None:
        with socket.fromfd(connection.fileno(), connection.family, connection.type) as plain:
            try:
                with tls.wrap_socket(connection, server_side=True) as wrapped:
                    behave(wrapped)
            except ssl.SSLError:
                # Unread bytes at the close would turn it into a reset, which can overtake the alert.
                plain.shutdown(socket.SHUT_WR)
                plain.settimeout(2)
                hang(plain)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            if stop.is_set():
                connection.close()
                return
            Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        port = listener.getsockname()[1]
        thread = Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield port
        finally:
            stop.set()
            socket.create_connection((host, port)).close()
            thread.join()


def closed_port() -> int:
    """A port of this machine on which nobody listens, and which nobody else is given while the tests run."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))  # bound and never listening: a connection is refused
    atexit.register(held.close)
    return int(held.getsockname()[1])


def read_request(connection: socket.socket) -> bytes:
    """One request, its body too when it has a content-length."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            while len(body) < int(value):
                body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(text: bytes) -> Behaviour:
    """Read a request and say exactly this."""

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(text)

    return behave


def echo(connection: socket.socket) -> None:
    """Answer with the request itself as the body."""
    request = read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(request) + request)


def close(connection: socket.socket) -> None:
    """Read a request and close in good order."""
    read_request(connection)


def reset(connection: socket.socket) -> None:
    """Read something and reset the connection, as an Envoy without a fitting filter chain does."""
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang(connection: socket.socket) -> None:
    """Never answer, until the client goes."""
    while connection.recv(65536):
        pass
