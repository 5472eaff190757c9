"""A local port that leads to a pod's port, through the API server."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from websocket import WebSocketException

from meshproof.errors import MeshproofError
from meshproof.kube.transport import Transport
from meshproof.kube.websocket import ChannelSocket, open_channels

__all__ = ["forward"]

_DATA, _ERROR = range(2)
_CHUNK = 64 * 1024


@contextmanager
def forward(transport: Transport, namespace: str, pod: str, port: int, *, timeout: float) -> Iterator[str]:
    """Listen on a free local port, "127.0.0.1:PORT", and lead each connection to the pod's `port`.

    A pod that cannot be reached ends the local connection with a reset, as a closed port would.
    """
    threads: list[Thread] = []
    # Becomes readable for everyone when the other end is closed.
    stop, stopper = socket.socketpair()

    def lead(local: socket.socket) -> None:
        with local:
            try:
                remote = open_channels(
                    transport,
                    f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward",
                    [("ports", str(port))],
                    about=f"forward port {port} of pod {namespace}/{pod}",
                    timeout=timeout,
                )
            except MeshproofError:
                _reset_on_close(local)
                return
            try:
                _pump(local, remote, stop, timeout)
            finally:
                remote.close()

    def accept() -> None:
        while stop not in select.select([listener, stop], [], [])[0]:
            local, _ = listener.accept()
            threads[:] = [thread for thread in threads if thread.is_alive()]
            threads.append(Thread(target=lead, args=(local,), daemon=True))
            threads[-1].start()

    with stop, socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor = Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stopper.close()
            acceptor.join()
            for thread in threads:
                thread.join()


def _pump(local: socket.socket, remote: ChannelSocket, stop: socket.socket, timeout: float) -> None:
    # The first message on each of the two channels is the port number, not data.
    announced: set[int] = set()
    sending = True
    while True:
        watched: list[socket.socket | ChannelSocket] = [remote, stop, *([local] if sending else [])]
        readable, _, _ = select.select(watched, [], [], 0 if remote.pending() else None)
        try:
            if stop in readable:
                return
            if local in readable:
                data = local.recv(_CHUNK)
                if data:
                    remote.send(_DATA, data)
                else:
                    # The protocol has no half-close. The answer may still be on its way, so keep reading.
                    sending = False
            if remote in readable or remote.pending():
                message = remote.receive(timeout)
                if message is None:
                    return
                channel, data = message
                if channel not in announced:
                    announced.add(channel)
                elif channel == _ERROR:
                    _reset_on_close(local)
                    return
                else:
                    local.sendall(data)
        except (OSError, WebSocketException):
            _reset_on_close(local)
            return


def _reset_on_close(local: socket.socket) -> None:
    # A linger of 0 seconds makes close() send RST.
    local.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
