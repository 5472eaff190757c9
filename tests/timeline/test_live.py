from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console

from meshproof.timeline import Timeline
from meshproof.timeline.live import _Lines, live


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def shown(timeline: Timeline, *, terminal: bool, height: int = 40) -> str:
    """What is on the screen or in the log when all is over."""
    out = StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, height=height, color_system=None)
    with live(timeline, console):
        pass
    return out.getvalue()


def finished(clock: Clock) -> Timeline:
    timeline = Timeline(clock=clock)
    with timeline.step("istio", group="stack") as step:
        step.note("Waiting for [istiod]")
        clock.now = 2.5
    with timeline.step("storage", group="stack") as step:
        step.skip("there already")
        clock.now = 3.0
    with pytest.raises(RuntimeError), timeline.step("apps", group="stack"):
        clock.now = 4.0
        raise RuntimeError("no image")
    return timeline


def test_a_log_has_one_plain_line_for_each_end(clock: Clock) -> None:
    assert shown(finished(clock), terminal=False).splitlines() == [
        "    2.5 s  stack: istio done in 2.5 s  Waiting for [istiod]",
        "    3.0 s  stack: storage skipped in 0.5 s  there already",
        "    4.0 s  stack: apps failed in 1.0 s  no image",
    ]


def test_a_log_tells_that_a_step_has_started(clock: Clock) -> None:
    timeline = Timeline(clock=clock)
    with timeline.step("istio", group="stack"):
        assert shown(timeline, terminal=False) == "    0.0 s  stack: istio started\n"


def test_a_log_says_nothing_of_what_only_waits(clock: Clock) -> None:
    timeline = Timeline(clock=clock)
    timeline.announce("apps", group="stack")
    assert shown(timeline, terminal=False) == ""


def test_long_lines_are_not_broken_in_a_log(clock: Clock) -> None:
    timeline = Timeline(clock=clock)
    with timeline.step("istio", group="stack") as step:
        step.note("x" * 300)
    assert "x" * 300 in shown(timeline, terminal=False)


def test_a_terminal_shows_state_seconds_and_note_of_each_step(clock: Clock) -> None:
    screen = shown(finished(clock), terminal=True)
    for words in (
        ("istio", "done", "2.5 s", "Waiting for [istiod]"),
        ("storage", "skipped", "0.5 s", "there already"),
        ("apps", "failed", "1.0 s", "no image"),
    ):
        assert any(all(word in line for word in words) for line in screen.splitlines()), words


def test_a_terminal_shows_groups_and_the_total(clock: Clock) -> None:
    screen = shown(finished(clock), terminal=True)
    assert re.search(r"stack +4\.0 s", screen)
    assert "total 4.0 s: 1 done, 1 skipped, 1 failed" in screen


def test_a_low_screen_leaves_out_what_is_done_first(clock: Clock) -> None:
    timeline = Timeline(clock=clock)
    for number in range(30):
        with timeline.step(f"step-{number}", group="stack"):
            pass
    timeline.announce("last", group="stack")
    screen = shown(timeline, terminal=True, height=12)
    assert "step-0 " not in screen
    assert "last" in screen


def test_an_error_in_the_block_comes_out(clock: Clock) -> None:
    with pytest.raises(KeyError), live(Timeline(clock=clock), Console(file=StringIO())):
        raise KeyError("x")


def test_a_log_that_falls_silent_says_what_still_runs(clock: Clock) -> None:
    timeline = Timeline(clock=clock)
    out = StringIO()
    console = Console(file=out, width=100)
    lines = _Lines(timeline, console)
    with timeline.step("compile istio", group="images") as step:
        lines.write()
        step.note("120 packages compiled")
        clock.now = 20
        lines.write()
        clock.now = 45
        lines.write()
    assert out.getvalue().splitlines() == [
        "    0.0 s  images: compile istio started",
        "   45.0 s  images: compile istio still running, 45 s  120 packages compiled",
    ]
