"""What a proof shows while several lanes go on at once."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from rich.console import Console

from meshproof.prove.matrix import Cell, Mark, Row
from meshproof.prove.phases import Phase
from meshproof.prove.screen import Screen
from meshproof.prove.tally import Tally

ROW = Row("a", "mtls", "It.", (Cell("test_x.py::test_1", Mark.CAUGHT, "VIOLATE", "plaintext [red]"),))


def test_without_a_terminal_each_step_is_a_line() -> None:
    out = io.StringIO()
    tally = Tally()
    with Screen(Console(file=out, width=100), tally, 2) as screen:
        screen.tell("a", Phase.BREAK)
        screen.tell("a", Phase.TEST)
        screen.tried(ROW)
        screen.proven(ROW)
    assert out.getvalue().splitlines()[:3] == [
        "a: tried now, 0 of 2 have been",
        "a: 1 caught",
        "a: caught, 0 s (break 0.0, settle 0.0, test 0.0, undo 0.0, heal 0.0)",
    ]
    assert tally.done == (ROW,)


def test_on_a_terminal_what_each_lane_does_is_shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    shown = Console(record=True, force_terminal=True, file=io.StringIO(), width=100, height=20)
    with Screen(shown, Tally(), 4) as screen, ThreadPoolExecutor(2) as pool:
        both = Barrier(2)

        def lane(name: str) -> None:
            both.wait()
            screen.tell(name, Phase.SETTLE)
            both.wait()
            screen.tell(name, Phase.TEST)

        list(pool.map(lane, ["left", "right"]))
        table = Console(record=True, file=io.StringIO(), width=100)
        table.print(screen._live.get_renderable())
        text = table.export_text()
    rows = [line.split() for line in text.splitlines() if "testing" in line]
    assert sorted(row[0] for row in rows) == ["left", "right"]
