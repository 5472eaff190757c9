"""Begins a run when everything is ready, looks at it while it lasts, ends it, and says how it ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gevent
from gevent.lock import RLock
from locust.env import Environment
from locust.runners import STATE_MISSING, LocalRunner, MasterRunner

from meshproof.errors import MeshproofError, UsageError
from meshproof.load.judging import Run, until_a_look
from meshproof.load.options import check_target
from meshproof.load.parquet import write_rows
from meshproof.load.priority import ahead_of_others
from meshproof.load.rows import Rows
from meshproof.load.settled import Settled
from meshproof.load.view import View
from meshproof.load.with_locust.barrier import answers_carry_revision
from meshproof.load.with_locust.clock import now
from meshproof.load.with_locust.messages import BEGIN, ENOUGH, ROWS
from meshproof.parent import abandoned
from meshproof.verdict import Verdict
from meshproof.verdict.preconditions import Conditions

__all__ = ["Barrier", "Coordinator"]

Barrier = Callable[[], Sequence[str]]
"""Waits until the configuration under test is in force; returns what does not hold it, in words."""

_HEAD_START = 500_000
"""Microseconds: every generator has heard of the beginning, and opened its lines."""
_LOOK_EVERY = 0.5
_LINE_EVERY = 1.0
_BLIND = 2.0
_NEVER = 2**62
_COUNTERS = ("planned", "late", "dropped", "sent")


class Coordinator:
    """In the master, or in the only process. `view` is what is known of the run, `history` its past in few numbers."""

    def __init__(self, environment: Environment, make_run: Callable[[dict[str, Any]], Run], barrier: Barrier | None):
        assert isinstance(environment.runner, LocalRunner | MasterRunner)
        self._environment = environment
        self._runner = environment.runner
        self._make_run = make_run
        self._barrier = barrier
        self._ending = RLock()
        self.run: Run | None = None
        self.view: View | None = None
        self.history: list[tuple[int, View]] = []
        self.state = "not started"
        self._running = False
        self._runner.register_message(ROWS, self._on_rows)
        events = environment.events
        events.test_start.add_listener(self._on_test_start)
        events.spawning_complete.add_listener(self._on_spawned)
        events.test_stopping.add_listener(self._on_stopping)
        events.quitting.add_listener(self._on_stopping)
        # Before the run no verdict, and so no success.
        environment.process_exit_code = 3

    def _on_test_start(self, **_: Any) -> None:
        self._settled, self._parts = Settled(), list[Rows]()
        self._counters: dict[str, dict[str, Any]] = {}
        self._unsettled: tuple[str, ...] = ()
        self.view, self.history, self.run = None, [], None
        self._running, self._begun = True, False
        self.began = datetime.now(UTC)
        try:
            check_target(self._environment.host)
            self.run = self._make_run(self._options())
        except UsageError as error:
            # From the web form: nothing was checked before.
            self._running, self.state = False, str(error)
            self._environment.process_exit_code = error.exit_code
            print(error, file=sys.stderr, flush=True)
            gevent.spawn_later(0, self._runner.stop)
            return
        self.state = "waiting for users"
        say(*self.run.plan(), f"every request carries User-Agent: {self.run.load.user_agent}")

    def _on_spawned(self, **_: Any) -> None:
        if self._running and not self._begun:
            self._begun = True
            gevent.spawn(self._conduct)

    def _conduct(self) -> None:
        assert self.run is not None
        self.state = "waiting for the configuration"
        try:
            self._unsettled = (*self._revision_missing(), *(self._barrier() if self._barrier else ()))
        except MeshproofError as error:
            self._unsettled = (str(error),)
        if not self._running:
            return
        if not self._unsettled:
            self.state = "running"
            for source in self._sources():
                self._settled.expect(source)
                self._counters[source] = {}
            data = {"run": self.run.load.run_id, "options": self._options(), "users": self._runner.target_user_count}
            self._runner.send_message(BEGIN, {**data, "begin": now() + _HEAD_START})
            self._look_on()
        self.finish()
        self._leave()

    def _look_on(self) -> None:
        told = 0.0
        while self._running:
            gevent.sleep(_LOOK_EVERY)
            if abandoned():
                say("whoever began this run is gone, so it ends")
                return
            began = time.monotonic()
            view = self._look()
            if began - told >= _LINE_EVERY and self._running:
                told = began
                say(view.line)
            if view.decided or self._lost():
                return
            # The statistics may take a fiftieth of the time, so that they do not make starts late; but a look that
            # took long because the machine was busy is no reason to be blind for long.
            gevent.sleep(min(max(50 * (time.monotonic() - began) - _LOOK_EVERY, 0), _BLIND))

    def _look(self, *, last: bool = False) -> View:
        assert self.run is not None
        settled = self._settled.take(everything=last)
        self._parts = [Rows.joined([*self._parts, settled]) if self._parts else settled]
        if last:
            self._parts = [self._parts[0].in_order()]
        rows, conditions = self._parts[0] if last else until_a_look(self._parts[0]), self._conditions()
        missing = self._missing() if last else ()
        # In a thread of its own: the schedule goes on meanwhile.
        view: View = gevent.get_hub().threadpool.apply(_judged, (self.run, rows, conditions, missing))
        self.view = view
        self.history.append((now(), view))
        return view

    def _conditions(self) -> Conditions:
        sums = {name: sum(one.get(name, 0) for one in self._counters.values()) for name in _COUNTERS}
        cpu = max((one.get("cpu", 0.0) for one in self._counters.values()), default=0.0)
        return Conditions(sums["planned"], sums["late"], sums["dropped"], cpu, self._unsettled)

    def _missing(self) -> tuple[str, ...]:
        """Generators that did not tell all rows that they sent."""
        return tuple(
            source
            for source, told in self._counters.items()
            if not told.get("last") or told.get("sent", 0) != told.get("rows", 0)
        )

    def finish(self, *, early: bool = False) -> None:
        """End the run once: no further start, all rows, the verdict. A run that somebody ended early is INCONCLUSIVE
        where it would be INVALID, unless rows are missing."""
        with self._ending:
            if not self._running:
                return
            self._running = False
            assert self.run is not None
            if self._counters:
                self.state = "waiting for the last answers"
                self._runner.send_message(ENOUGH, None)
                deadline = time.monotonic() + self.run.load.drain + 10
                while not self._all_told() and time.monotonic() < deadline:
                    gevent.sleep(0.05)
            view = self._look(last=True)
            if early and view.verdict is Verdict.INVALID and not self._missing():
                reason = f"ended early, and until then {view.reason}"
                self.view = view = replace(view, verdict=Verdict.INCONCLUSIVE, reason=reason)
            self.state = view.verdict.value
            lines = view.lines
            self._environment.process_exit_code = view.exit_code
            file = Path(self.run.load.rows or f"reports/load/{self.run.name}-{self.began:%Y%m%d-%H%M%S}.parquet")
            try:
                write_rows(self._parts[0], file, self._facts(view))
                lines = (*lines, f"  rows       {file}")
            except UsageError as error:
                self._environment.process_exit_code = error.exit_code
                lines = (*lines, str(error))
            say("", *lines)

    def _facts(self, view: View) -> dict[str, Any]:
        assert self.run is not None
        known = {
            "run": self.run.load.run_id,
            "test": view.test,
            "began": self.began.isoformat(),
            "host": self._environment.host,
        }
        verdict = {"verdict": view.verdict.value, "reason": view.reason, "generators": self._counters}
        return {**known, **verdict, "options": self._options()}

    def _leave(self) -> None:
        options = self._environment.parsed_options
        if options is None or options.headless:
            self._runner.quit()
            return
        self._runner.stop()
        if options.autostart and options.autoquit != -1:
            gevent.sleep(options.autoquit)
            self._runner.quit()
            if self._environment.web_ui:
                self._environment.web_ui.stop()

    def _on_stopping(self, **_: Any) -> None:
        self.finish(early=True)

    def _on_rows(self, msg: Any, **_: Any) -> None:
        source, data = msg.node_id, msg.data
        if source not in self._counters:
            return
        told = self._counters[source]
        rows = Rows.of(data.pop("rows"))
        complete = data.pop("complete_before")
        self._settled.add(source, rows, _NEVER if data["last"] else complete)
        self._counters[source] = {**data, "rows": told.get("rows", 0) + len(rows)}

    def _all_told(self) -> bool:
        lost = self._lost()
        return all(told.get("last") or name in lost for name, told in self._counters.items())

    def _lost(self) -> set[str]:
        """Generators that are gone without their last rows: what they sent cannot be judged any more."""
        if isinstance(self._runner, LocalRunner):
            return set()
        present = {name for name, node in self._runner.clients.items() if node.state != STATE_MISSING}
        return {name for name, told in self._counters.items() if not told.get("last") and name not in present}

    def _sources(self) -> list[str]:
        return list(self._runner.clients) if isinstance(self._runner, MasterRunner) else ["local"]

    def _options(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in vars(self._environment.parsed_options).items()
            if isinstance(value, str | int | float)
        }

    def _revision_missing(self) -> tuple[str, ...]:
        assert self.run is not None
        if not self.run.load.revision:
            return ()
        return answers_carry_revision(self._environment, self.run.load)


def _judged(run: Run, rows: Rows, conditions: Conditions, missing: Sequence[str]) -> View:
    # As urgent as the schedule: it may hold the interpreter's lock, which the schedule then waits for.
    with ahead_of_others():
        return run.view(rows, conditions, missing)


def say(*lines: str) -> None:
    """To the terminal, at once, if somebody still reads it: a run whose words go nowhere has its rows and its end."""
    with suppress(BrokenPipeError):
        print("\n".join(lines), flush=True)
