"""The record of a run's steps; safe to use from many threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from threading import Lock

from meshproof.secrecy import hidden

__all__ = ["Span", "State", "Step", "Timeline"]


class State(StrEnum):
    """Where a step stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Span:
    """One step: seconds are counted from the timeline's start; `ended` is None while it runs."""

    name: str
    group: str
    state: State
    began: float | None = None
    ended: float | None = None
    note: str = ""
    after: tuple[str, ...] = field(default=())

    def elapsed(self, now: float) -> float:
        """Seconds that the step has taken until `now` or until its end."""
        if self.began is None:
            return 0.0
        return (self.ended if self.ended is not None else now) - self.began


class Step:
    """The handle of a running step."""

    def __init__(self, timeline: Timeline, name: str) -> None:
        self._timeline = timeline
        self.name = name

    def note(self, text: str) -> None:
        """Say in a few words what is being done just now; the last word stays."""
        self._timeline._update(self.name, note=text)

    def skip(self, why: str) -> None:
        """The step turned out to have nothing to do."""
        self._timeline._update(self.name, note=why, state=State.SKIPPED)


class Timeline:
    """Steps in the order in which they were announced. Names are unique."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._zero = clock()
        self.started_at = time.time()
        self._spans: dict[str, Span] = {}
        self._lock = Lock()

    def now(self) -> float:
        """Seconds since the timeline's start."""
        return self._clock() - self._zero

    @property
    def spans(self) -> tuple[Span, ...]:
        """A consistent copy of all steps."""
        with self._lock:
            return tuple(self._spans.values())

    def announce(self, name: str, *, group: str, after: tuple[str, ...] = ()) -> None:
        """Show a step as waiting before it begins."""
        with self._lock:
            self._spans.setdefault(name, Span(name, group, State.WAITING, after=after))

    @contextmanager
    def step(self, name: str, *, group: str, after: tuple[str, ...] = ()) -> Iterator[Step]:
        """Record the block as a step; an exception marks it as failed and goes on."""
        self.announce(name, group=group, after=after)
        self._update(name, state=State.RUNNING, began=self.now())
        try:
            yield Step(self, name)
        except BaseException as error:
            lines = str(error).splitlines()
            self._update(name, state=State.FAILED, ended=self.now(), note=lines[0] if lines else type(error).__name__)
            raise
        with self._lock:
            span = self._spans[name]
            state = State.DONE if span.state is State.RUNNING else span.state
            self._spans[name] = replace(span, state=state, ended=self._clock() - self._zero)

    def _update(self, name: str, **changes: object) -> None:
        if "note" in changes:  # words of programs, which may tell what they were given
            changes["note"] = hidden(str(changes["note"]))
        with self._lock:
            self._spans[name] = replace(self._spans[name], **changes)  # type: ignore[arg-type]
