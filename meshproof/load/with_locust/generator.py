"""Makes the load of one process: starts requests when they are due, and reports a row for each."""

from __future__ import annotations

import itertools
from collections import deque
from contextlib import ExitStack, closing
from typing import Any

import gevent
import psutil
from gevent.lock import RLock
from gevent.pool import Group
from locust.env import Environment
from locust.runners import LocalRunner, WorkerRunner

from meshproof.load.cpu import busiest
from meshproof.load.options import Load
from meshproof.load.priority import ahead_of_others
from meshproof.load.rows import Row
from meshproof.load.schedule import starts
from meshproof.load.with_locust.alarm import Alarm
from meshproof.load.with_locust.clock import now
from meshproof.load.with_locust.line import Line
from meshproof.load.with_locust.messages import BEGIN, ENOUGH, ROWS
from meshproof.load.with_locust.target import Target

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
        self._under_way: dict[Line, tuple[int, int]] = {}
        self._serving = Group()
        self._planned = self._late = self._dropped = self._sent = 0
        self._cpu: list[tuple[float, float]] = []
        self._free: deque[Any] = deque()
        self._free_further: list[Any] = []
        self._made = self._users = 0

    def finish(self) -> None:
        """No further start; wait for what is under way, and report the last rows. Returns when that is done."""
        with self._turn:
            if not self._running:
                return
            self._running = False
            self._scheduling.kill()
            gevent.killall([*self._free, *self._free_further])
            self._serving.join(timeout=self._load.drain)
            self._reporting.kill()
            self._serving.kill()
            # What still has no answer was sent, too.
            for line, (intended, start) in self._under_way.items():
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
            self._target = Target.of(self._environment.host or "", self._load)
            self._users = self._runner.user_count
            self._running = True
            self._punctual = self._priority.enter_context(ahead_of_others())
            self._sample()
            self._reporting = gevent.spawn(self._report_on)
            self._scheduling = gevent.spawn(self._schedule, msg.data["begin"], self._users / max(msg.data["users"], 1))

    def _on_enough(self, **_: Any) -> None:
        self.finish()

    def _schedule(self, begin: int, part: float) -> None:
        if not part:
            return
        load, place = self._load, self._runner.worker_index
        with closing(Alarm()) as alarm:
            for after in starts(load.arrivals, load.rate, part=part, place=place, seed=load.seed):
                due = begin + int(after * 1e6)
                # Also when behind: only while this one sleeps can a request begin.
                alarm.sleep((due - now()) / 1e6)
                self._planned += 1
                self._begin(due)

    def _begin(self, due: int) -> None:
        """Let a free line send, or a further one; when there may be none, this start is dropped."""
        if self._made < self._users:
            self._serving.spawn(self._serve, self._new_line(), due, self._free)
        elif self._free or self._free_further:
            # Users in turn, so that each has many requests; the others as few of them as possible.
            free = self._free.popleft() if self._free else self._free_further.pop()
            gevent.get_hub().loop.run_callback(free.switch, due)
        elif self._made < self._load.max_in_flight:
            self._serving.spawn(self._serve, self._new_line(), due, self._free_further)
        else:
            self._dropped += 1

    def _new_line(self) -> Line:
        self._made += 1
        user = (self._runner.worker_index + 1) * _USERS_OF_A_PROCESS + self._made
        return Line(user, self._load, self._target, self._environment.events.request)

    def _serve(self, line: Line, intended: int, free: deque[Any] | list[Any]) -> None:
        """All that one line sends. One greenlet for all of it: to make one takes as long as half a request."""
        while True:
            self._send(line, intended)
            if not self._running:
                return
            free.append(gevent.getcurrent())
            intended = gevent.get_hub().switch()

    def _send(self, line: Line, intended: int) -> None:
        start = now()
        if start - intended > self._load.late_after * 1e6:
            self._late += 1
        self._under_way[line] = (intended, start)
        self._sent += 1
        row = line.send(intended)
        del self._under_way[line]
        self._rows.append(row)

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
        complete = min((start for _, start in self._under_way.values()), default=now())
        self._runner.send_message(
            ROWS,
            {
                "rows": rows,
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
