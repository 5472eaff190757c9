"""The timeline while it happens: a live table on a terminal, one plain line a change elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from meshproof.timeline.record import Span, State, Timeline

__all__ = ["live"]

_STYLE = {
    State.WAITING: "dim",
    State.RUNNING: "cyan",
    State.DONE: "green",
    State.SKIPPED: "yellow",
    State.FAILED: "bold red",
}
_SIGN = {State.WAITING: "·", State.RUNNING: "▸", State.DONE: "✔", State.SKIPPED: "–", State.FAILED: "✘"}
_REFRESHES_PER_SECOND = 8
_PLAIN_SECONDS = 0.2
_SILENCE_SECONDS = 30.0
"""After so long without a change, plain output says what is still running."""


@contextmanager
def live(timeline: Timeline, console: Console | None = None) -> Iterator[None]:
    """Show the timeline's steps while the block runs; what was shown stays.

    On a terminal a table that is drawn anew; elsewhere (CI logs) one line when a step starts and one when it ends.
    """
    console = console or Console(stderr=True)
    if console.is_terminal:
        with Live(_View(timeline), console=console, refresh_per_second=_REFRESHES_PER_SECOND, transient=False):
            yield
        return
    lines = _Lines(timeline, console)
    stop = Event()
    thread = Thread(target=lines.follow, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        lines.write()


class _View:
    """A table of all steps as they are at the moment of drawing."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now, spans = self._timeline.now(), self._timeline.spans
        table = Table(box=None, pad_edge=False, expand=True, show_header=False)
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(width=8, no_wrap=True)
        table.add_column(width=8, justify="right", no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for group, members in _groups(_shown(spans, room=options.max_height)):
            took = _extent(members, now)
            table.add_row("", Text(group, style="bold"), "", Text(took, style="bold"), "")
            for span in members:
                style = _STYLE[span.state]
                table.add_row(
                    Text(_SIGN[span.state], style=style),
                    Text(span.name),
                    Text(span.state.value, style=style),
                    Text(_seconds(span, now)),
                    Text(span.note, style="dim"),
                )
        yield table
        yield Text(_total(spans, now), style="bold")


class _Lines:
    """Plain lines; each start and each end once."""

    def __init__(self, timeline: Timeline, console: Console) -> None:
        self._timeline = timeline
        self._console = console
        self._started: set[str] = set()
        self._ended: set[str] = set()
        self._spoke = timeline.now()

    def follow(self, stop: Event) -> None:
        while not stop.wait(_PLAIN_SECONDS):
            self.write()

    def write(self) -> None:
        """Write what changed since the last time, in the order in which it happened."""
        changes = []
        for span in self._timeline.spans:
            if span.began is None or span.name in self._ended:
                continue
            if span.ended is not None:
                self._ended.add(span.name)
                note = f"  {span.note}" if span.note else ""
                took = f"{span.ended - span.began:.1f} s"
                changes.append((span.ended, f"{span.group}: {span.name} {span.state.value} in {took}{note}"))
            elif span.name not in self._started:
                self._started.add(span.name)
                changes.append((span.began, f"{span.group}: {span.name} started"))
        now = self._timeline.now()
        if changes:
            self._spoke = now
        elif now - self._spoke > _SILENCE_SECONDS:
            self._spoke = now
            changes = [
                (now, f"{span.group}: {span.name} still running, {span.elapsed(now):.0f} s  {span.note}")
                for span in self._timeline.spans
                if span.state is State.RUNNING
            ]
        for seconds, text in sorted(changes):
            self._console.print(f"{seconds:7.1f} s  {text}", highlight=False, markup=False, soft_wrap=True)


def _groups(spans: tuple[Span, ...]) -> list[tuple[str, list[Span]]]:
    groups: dict[str, list[Span]] = {}
    for span in spans:
        groups.setdefault(span.group, []).append(span)
    return list(groups.items())


def _shown(spans: tuple[Span, ...], *, room: int) -> tuple[Span, ...]:
    """All steps if the screen has room for them, else without the oldest that are done."""
    lines = len(spans) + len(_groups(spans)) + 1
    surplus = lines - room
    kept: list[Span] = []
    for span in spans:
        if surplus > 0 and span.state in (State.DONE, State.SKIPPED):
            surplus -= 1
        else:
            kept.append(span)
    return tuple(kept)


def _seconds(span: Span, now: float) -> str:
    return "" if span.began is None else f"{span.elapsed(now):.1f} s"


def _extent(spans: list[Span], now: float) -> str:
    began = [span.began for span in spans if span.began is not None]
    if not began:
        return ""
    running = any(span.began is not None and span.ended is None for span in spans)
    end = now if running else max(span.ended or 0.0 for span in spans)
    return f"{end - min(began):.1f} s"


def _total(spans: tuple[Span, ...], now: float) -> str:
    count = {state: sum(span.state is state for span in spans) for state in State}
    parts = [f"{count[state]} {state.value}" for state in State if count[state]]
    return f"total {now:.1f} s: {', '.join(parts) or 'nothing yet'}"
