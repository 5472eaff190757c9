"""Where the requests of a run go, and what all of them say."""

from __future__ import annotations

import ssl
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import gevent.socket
from geventhttpclient.url import URL
from locust.contrib.fasthttp import insecure_ssl_context_factory

from meshproof.load.options import Load

__all__ = ["Target"]

_USUAL_PORTS = (80, 443)


@dataclass(frozen=True)
class Target:
    """Looked up once in a run: a look-up takes a thread, and is no part of a request. Without addresses every request
    fails, and its row says why."""

    url: str
    host: str
    addresses: list[tuple[Any, ...]]
    """As getaddrinfo gives them."""
    tls: ssl.SSLContext | None
    _before: str
    _after: str

    @classmethod
    def of(cls, base: str, load: Load) -> Target:
        """The target of requests for `load.path` below the URL `base`."""
        url = URL(base.rstrip("/") + load.path)
        try:
            addresses = gevent.socket.getaddrinfo(url.host, url.port, type=gevent.socket.SOCK_STREAM)
        except OSError:
            addresses = []
        name = f"[{url.host}]" if ":" in url.host else url.host
        if url.port not in _USUAL_PORTS:
            name += f":{url.port}"
        after = "\r\nAccept-Encoding: gzip, deflate, br\r\n"
        if url.user and url.password:
            secret = f"{unquote(url.user)}:{unquote(url.password)}".encode("latin-1")
            after += f"Authorization: Basic {b64encode(secret).decode()}\r\n"
        before = f"GET {url.quoted_uri} HTTP/1.1\r\nHost: {load.target_host or name}\r\nUser-Agent: {load.user_agent} "
        return cls(
            url=f"{url.scheme}://{name}{url.quoted_uri}",
            host=url.host,
            addresses=addresses,
            tls=insecure_ssl_context_factory() if url.scheme == "https" else None,
            _before=before,
            _after=after,
        )

    def request(self, mark: str, cookies: str | None = None) -> str:
        """The whole of one request, which has no body."""
        more = f"Cookie: {cookies}\r\n" if cookies else ""
        return f"{self._before}{mark}{self._after}{more}\r\n"

    def connected(self) -> gevent.socket.socket:
        """A connection to the first address that takes one. Raises OSError."""
        failed = OSError(f"{self.host} has no address")
        for place, (family, kind, protocol, _, address) in enumerate(self.addresses):
            connection = gevent.socket.socket(family, kind, protocol)
            try:
                connection.connect(address)
                return self.tls.wrap_socket(connection, server_hostname=self.host) if self.tls else connection
            except OSError as error:
                connection.close()
                failed = failed if place else error
            except BaseException:
                connection.close()
                raise
        raise failed
