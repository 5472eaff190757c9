"""One connection to the target, on which requests go out one after the other."""

from __future__ import annotations

from contextlib import suppress
from http.cookiejar import CookieJar
from typing import Any

import gevent
import gevent.socket
from gevent.monkey import get_original
from geventhttpclient.header import Headers
from geventhttpclient.response import HTTPSocketResponse
from locust.contrib.fasthttp import ErrorResponse, FastRequest, FastResponse, LocustBadStatusCode, LocustUserAgent
from locust.event import EventHook

from meshproof.load.options import Load
from meshproof.load.rows import Row, request_mark
from meshproof.load.with_locust.clock import now
from meshproof.load.with_locust.target import Target

__all__ = ["Line"]

_CONNECTIONS_OF_A_LINE = 1_000_000
_READABLE = 1


class Line:
    """Sends each request exactly once, on a connection that is known by number.

    Locust's own client would do with a few lines less: it sends what got no answer again unless its inside is changed,
    and takes twice the time for each request, of which there are thousands a second.
    """

    def __init__(self, user: int, load: Load, target: Target, told: EventHook) -> None:
        """`told` is Locust's event of a request; it gets the same request object each time, which has the URL only."""
        self.user = user
        self._load = load
        self._target = target
        self._told, self._told_request = told, FastRequest(target.url, headers=Headers())
        self._socket: gevent.socket.socket | None = None
        self._readable: Any = None
        self._connections = 0
        self._cookies: CookieJar | None = None
        # One for all requests: started again it counts from the beginning, as one that does not repeat would not.
        self._limit = gevent.get_hub().loop.timer(load.request_timeout, load.request_timeout)

    @property
    def connection(self) -> int:
        """The number of the connection that was opened last."""
        return self.user * _CONNECTIONS_OF_A_LINE + self._connections

    def send(self, intended: int) -> Row:
        """Send one request, whatever becomes of it. Locust's own statistics get the time from the intended start."""
        load, start = self._load, now()
        answer: Any = None
        problem: BaseException | None = None
        version = revision = None
        status = size = 0
        try:
            self._limit.again(self._end, gevent.getcurrent(), update=True)
            answer = self._ask(start)
            size = len(answer.content)
            end = now()
            headers = answer.headers
            version, revision = _text(headers, load.arm_header), _text(headers, load.revision_header)
            if "set-cookie" in headers:
                self._keep_cookies(answer)
            status = answer.status_code
        except (Exception, gevent.Timeout) as caught:
            # Also a fault of the client's own is a request without an answer.
            end, problem = now(), caught
        finally:
            self._limit.stop()
        error = None
        if not status:
            error = f"{type(problem).__name__}: {problem}"[:200]
            answer = ErrorResponse(self._told_request, problem)  # type: ignore[arg-type]
        elif status not in LocustUserAgent.valid_response_codes:
            problem = LocustBadStatusCode(self._target.url, code=status)
        if not status or answer._response.should_close():
            self.close()
        # A listener may ask for the end of a Locust user. There is none behind this line.
        with suppress(Exception):
            self._told.fire(
                request_type="GET",
                name=load.path,
                context={},
                response=answer,
                exception=problem,
                start_time=start / 1e6,
                url=self._target.url,
                response_length=size,
                response_time=(end - intended) / 1000,
            )
        return Row(intended, start, end, status, version, self.connection, self.user, size, error, revision)

    def close(self) -> None:
        """Whatever state the connection is in, nothing else is sent on it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _end(self, sending: Any) -> None:
        sending.throw(gevent.Timeout(self._load.request_timeout))

    def _ask(self, start: int) -> FastResponse:
        request = self._target.request(request_mark(self.user, start), self._kept_cookies())
        connection = self._open_connection()
        connection.sendall(request.encode("latin-1"))
        answer: Any = HTTPSocketResponse(connection)
        return FastResponse(answer, self._told_request, request)

    def _open_connection(self) -> gevent.socket.socket:
        """The one that there is. What can be read on it before anything was asked is its end."""
        if self._socket is not None and self._readable.poll(0):
            self.close()
        if self._socket is None:
            self._socket = self._target.connected()
            self._connections += 1
            self._readable = _poll()
            self._readable.register(self._socket, _READABLE)
        return self._socket

    def _keep_cookies(self, answer: Any) -> None:
        self._cookies = self._cookies or CookieJar()
        self._cookies.extract_cookies(answer, self._bare_request())

    def _kept_cookies(self) -> str | None:
        if self._cookies is None:
            return None
        request = self._bare_request()
        self._cookies.add_cookie_header(request)
        return _text(request.headers, "cookie")

    def _bare_request(self) -> FastRequest:
        return FastRequest(self._target.url, headers=Headers())


def _text(headers: Headers, name: str) -> str | None:
    """A header that is there twice is one with both values, as HTTP has it."""
    value: Any = headers.get(name)
    return ", ".join(value) if isinstance(value, list) else value


# At once, without asking gevent's loop.
_poll: Any = get_original("select", "poll")
