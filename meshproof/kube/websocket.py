"""WebSockets to the API server, whose messages each belong to a numbered channel."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import certifi
from websocket import (
    ABNF,
    WebSocket,
    WebSocketBadStatusException,
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
)

from meshproof.kube.errors import error_from_answer
from meshproof.kube.transport import Transport

__all__ = ["ChannelSocket", "open_channels"]

# v5 lets a client close one channel, which is how a command's standard input ends; Kubernetes 1.30 and later.
_PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
_CLOSE_CHANNEL = 255


class ChannelSocket:
    """An open connection. Not for several threads at once."""

    def __init__(self, connection: WebSocket) -> None:
        self._connection: Any = connection

    @property
    def can_close_channels(self) -> bool:
        """Whether the server understands `close_channel`."""
        return str(self._connection.getsubprotocol()).startswith("v5.")

    def fileno(self) -> int:
        """For select(); see also `pending`."""
        return int(self._connection.sock.fileno())

    def pending(self) -> bool:
        """Whether bytes wait that TLS has already taken from the kernel, which select() does not see."""
        raw = self._connection.sock
        return isinstance(raw, ssl.SSLSocket) and raw.pending() > 0

    def send(self, channel: int, data: bytes) -> None:
        """Send one message on a channel."""
        self._connection.send(bytes([channel]) + data, opcode=ABNF.OPCODE_BINARY)

    def close_channel(self, channel: int) -> None:
        """Tell the server that nothing more comes on a channel."""
        self.send(_CLOSE_CHANNEL, bytes([channel]))

    def receive(self, timeout: float) -> tuple[int, bytes] | None:
        """The next message as (channel, data), or None when the server has ended the connection.

        Raises TimeoutError.
        """
        while True:
            self._connection.settimeout(max(timeout, 0.001))
            try:
                opcode, frame = self._connection.recv_data_frame(control_frame=True)
            except WebSocketTimeoutException as error:
                raise TimeoutError from error
            except (WebSocketConnectionClosedException, ConnectionError, ssl.SSLError):
                return None
            if opcode == ABNF.OPCODE_CLOSE:
                return None
            if opcode in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT) and frame is not None and frame.data:
                data = bytes(frame.data)
                if data[0] != _CLOSE_CHANNEL:
                    return data[0], data[1:]

    def close(self) -> None:
        """End the connection without waiting for the server's goodbye."""
        self._connection.shutdown()


def open_channels(
    transport: Transport, path: str, query: Sequence[tuple[str, str]], *, about: str, timeout: float
) -> ChannelSocket:
    """Connect to a path of the API server.

    Raises ClusterUnreachable, or the typed error for what the server answered instead (NotFound, Forbidden, ...).
    """
    configuration: Any = transport.access.configuration
    url = transport.access.server.replace("http", "ws", 1) + f"{path}?{urlencode(query)}"
    headers = [f"{name}: {value}" for name, value in transport.authorization().items()]
    connection: Any = WebSocket(
        sslopt=_tls(configuration),
        sockopt=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        enable_multithread=True,
        skip_utf8_validation=True,
    )
    try:
        connection.connect(url, header=headers, subprotocols=_PROTOCOLS, timeout=timeout, **_proxy(configuration))
    except WebSocketBadStatusException as error:
        raise error_from_answer(error.status_code, error.resp_body or b"", about) from error
    except (WebSocketException, OSError, ValueError) as error:
        raise transport.unreachable(error, about) from error
    return ChannelSocket(connection)


def _tls(configuration: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
    if configuration.verify_ssl:
        options = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": configuration.ssl_ca_cert or certifi.where()}
    if configuration.cert_file:
        options |= {"certfile": configuration.cert_file, "keyfile": configuration.key_file}
    if configuration.tls_server_name:
        options["server_hostname"] = configuration.tls_server_name
    return options


def _proxy(configuration: Any) -> dict[str, Any]:
    if not configuration.proxy:
        return {}
    proxy = urlsplit(configuration.proxy)
    exceptions = (configuration.no_proxy or "").split(",")
    return {"http_proxy_host": proxy.hostname, "http_proxy_port": proxy.port, "http_no_proxy": exceptions}
