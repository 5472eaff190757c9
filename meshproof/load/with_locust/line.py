"""One connection to the target, on which requests go out one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from locust.contrib.fasthttp import FastHttpSession, LocustBadStatusCode

from meshproof.load.options import Load
from meshproof.load.rows import Row, request_mark
from meshproof.load.with_locust.clock import now

__all__ = ["Addresses", "Line"]

Addresses = list[tuple[Any, ...]]
"""As getaddrinfo gives them."""

_CONNECTIONS_OF_A_LINE = 1_000_000


class Line:
    """A session whose connection is known by number, and which sends each request exactly once."""

    def __init__(
        self, user: int, load: Load, open_session: Callable[[], FastHttpSession], addresses: Addresses
    ) -> None:
        """`open_session` gives a session of one connection. `addresses` are the target's: they are looked up once in a
        run, since a look-up takes a thread, and is no part of a request."""
        self.user = user
        self._addresses = addresses
        self._load = load
        self._open = open_session
        self._connections = 0
        self._headers = {"Host": load.target_host} if load.target_host else {}
        self._session = self._opened()

    @property
    def connection(self) -> int:
        """The number of the connection that was opened last."""
        return self.user * _CONNECTIONS_OF_A_LINE + self._connections

    def send(self, intended: int) -> Row:
        """Send one request, whatever becomes of it. Locust's own statistics get the time from the intended start."""
        load = self._load
        start = now()
        headers = {**self._headers, "User-Agent": f"{load.user_agent} {request_mark(self.user, start)}"}
        with (
            gevent.Timeout(load.request_timeout),
            self._session.get(load.path, headers=headers, catch_response=True, allow_redirects=False) as answer,
        ):
            end = now()
            answer.request_meta["response_time"] = (end - intended) / 1000
            problem = answer.request_meta["exception"]
            if isinstance(problem, LocustBadStatusCode):
                problem = None
            told = answer.headers or {}
            row = Row(
                intended=intended,
                start=start,
                end=end,
                status=0 if problem else answer.status_code,
                version=told.get(load.arm_header),
                connection=self.connection,
                user=self.user,
                bytes=answer.request_meta["response_length"],
                error=f"{type(problem).__name__}: {problem}"[:200] if problem else None,
                revision=told.get(load.revision_header),
            )
        if row.status == 0:
            # Whatever state the connection is in, nothing else is sent on it.
            self._session.client.close()
            self._session = self._opened()
        return row

    def _opened(self) -> FastHttpSession:
        session = self._open()
        pool: Any = session.client.clientpool.get_client(session.base_url or "")._connection_pool
        # The client repeats a GET when the connection is closed before an answer, as often as this says. That would
        # hide failures, and give the request a second arm.
        pool.size = -1
        pool.after_connect = self._connected
        pool._resolve = lambda: self._addresses
        return session

    def _connected(self, _socket: object) -> None:
        self._connections += 1
