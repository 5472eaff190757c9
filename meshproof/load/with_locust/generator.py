"""Makes the load of one process: starts requests when they are due, and reports a row for each."""

from __future__ import annotations

import itertools
from collections import deque
from contextlib import ExitStack
from typing import Any

import gevent
import gevent.socket
import psutil
from gevent.lock import RLock
from gevent.pool import Group
from geventhttpclient.url import URL
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment
from locust.runners import LocalRunner, WorkerRunner

from meshproof.load.cpu import busiest
from meshproof.load.options import Load
from meshproof.load.priority import ahead_of_others
from meshproof.load.rows import Row
from meshproof.load.schedule import starts
from meshproof.load.with_locust.clock import now
from meshproof.load.with_locust.line import Addresses, Line
from meshproof.load.with_locust.messages import BEGIN, ENOUGH, ROWS

__all__ = ["Generator"]

_REPORT_EVERY = 0.2
_SAMPLE_EVERY = 0.5
_USERS_OF_A_PROCESS = 1_000_000


class Generator:
    """Starts are spread over the lines of Locust's users in turn; when all of those are busy, over further lines."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._running = False
        # An end that comes while a run begins waits until it has begun.
        self._turn = RLock()
        self._priority = ExitStack()
        self._reset()
        assert isinstance(environment.runner, LocalRunner | WorkerRunner)
        self._runner = environment.runner
        self._runner.register_message(BEGIN, self._on_begin, concurrent=True)
        self._runner.register_message(ENOUGH, self._on_enough, concurrent=True)

    def _reset(self) -> None:
        self._rows: list[Row] = []
        self._under_way: dict[int, tuple[Line, int, int]] = {}
        self._requests = Group()
        self._planned = self._late = self._dropped = self._sent = 0
        self._cpu: list[tuple[float, float]] = []
        self._lines: deque[Line] = deque()
        self._further: list[Line] = []
        self._made = 0

    def finish(self) -> None:
        """No further start; wait for what is under way, and report the last rows. Returns when that is done."""
        with self._turn:
            if not self._running:
                return
            self._running = False
            self._scheduling.kill()
            self._requests.join(timeout=self._load.drain)
            self._reporting.kill()
            self._requests.kill()
            # What still has no answer was sent, too.
            for line, intended, start in self._under_way.values():
                problem = "no answer before the end of the run"
                self._rows.append(Row(intended, start, now(), 0, None, line.connection, line.user, 0, problem))
            self._under_way.clear()
            self._sample()
            self._report(last=True)
            self._priority.close()

    def _on_begin(self, msg: Any, **_: Any) -> None:
        with self._turn:
            if self._running:
                return
            self._reset()
            self._load = Load.of({**msg.data["options"], "run_id": msg.data["run"]})
            self._addresses = self._looked_up()
            users = self._runner.user_count
            self._lines.extend(self._new_line() for _ in range(users))
            self._running = True
            self._punctual = self._priority.enter_context(ahead_of_others())
            self._sample()
            self._reporting = gevent.spawn(self._report_on)
            self._scheduling = gevent.spawn(self._schedule, msg.data["begin"], users / max(msg.data["users"], 1))

    def _on_enough(self, **_: Any) -> None:
        self.finish()

    def _schedule(self, begin: int, part: float) -> None:
        if not part:
            return
        load, place = self._load, self._runner.worker_index
        for after in starts(load.arrivals, load.rate, part=part, place=place, seed=load.seed):
            due = begin + int(after * 1e6)
            # Also when behind: only while this one sleeps can a request begin.
            gevent.sleep(max((due - now()) / 1e6, 0))
            self._planned += 1
            line = self._free_line()
            if line is None:
                self._dropped += 1
            else:
                self._requests.start(gevent.Greenlet(self._send, line, due))

    def _free_line(self) -> Line | None:
        if self._lines:
            return self._lines.popleft()
        if self._further:
            return self._further.pop()
        return self._new_line() if self._made < self._load.max_in_flight else None

    def _new_line(self) -> Line:
        self._made += 1
        user = (self._runner.worker_index + 1) * _USERS_OF_A_PROCESS + self._made
        return Line(user, self._load, self._open, self._addresses)

    def _looked_up(self) -> Addresses:
        target = URL(self._environment.host or "")
        try:
            return gevent.socket.getaddrinfo(target.host, target.port, type=gevent.socket.SOCK_STREAM)
        except OSError:
            return []  # every request fails, and its row says why

    def _open(self) -> FastHttpSession:
        load = self._load
        return FastHttpSession(
            base_url=self._environment.host,
            request_event=self._environment.events.request,
            user=None,
            concurrency=1,
            max_retries=0,
            connection_timeout=load.request_timeout,
            network_timeout=load.request_timeout,
        )

    def _send(self, line: Line, intended: int) -> None:
        start = now()
        if start - intended > self._load.late_after * 1e6:
            self._late += 1
        ticket = next(_tickets)
        self._under_way[ticket] = (line, intended, start)
        self._sent += 1
        try:
            row = line.send(intended)
        except gevent.Timeout as problem:
            row = Row(intended, start, now(), 0, None, line.connection, line.user, 0, f"Timeout: {problem}")
        except Exception as problem:
            # A fault of the client's own is a request without an answer, like any other.
            row = Row(intended, start, now(), 0, None, line.connection, line.user, 0, repr(problem)[:200])
        del self._under_way[ticket]
        self._rows.append(row)
        # Users in turn, so that each has many requests; the others as few of them as possible.
        if line.user % _USERS_OF_A_PROCESS <= max(self._runner.user_count, 1):
            self._lines.append(line)
        else:
            self._further.append(line)

    def _report_on(self) -> None:
        for number in itertools.count():
            gevent.sleep(_REPORT_EVERY)
            if number % max(int(_SAMPLE_EVERY / _REPORT_EVERY), 1) == 0:
                self._sample()
            self._report()

    def _sample(self) -> None:
        used = psutil.Process().cpu_times()
        self._cpu.append((now() / 1e6, used.user + used.system))

    def _report(self, last: bool = False) -> None:
        rows, self._rows = self._rows, []
        complete = min((start for _, _, start in self._under_way.values()), default=now())
        self._runner.send_message(
            ROWS,
            {
                "rows": [tuple(row) for row in rows],
                "complete_before": complete,
                "planned": self._planned,
                "late": self._late,
                "dropped": self._dropped,
                "sent": self._sent,
                "cpu": busiest(self._cpu),
                "real_time": self._punctual,
                "last": last,
            },
        )


_tickets = itertools.count()
