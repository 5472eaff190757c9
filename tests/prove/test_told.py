"""Foreign text reaches the screen as it is, whatever brackets it has."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from meshproof.prove.matrix import Cell, Mark, Row
from meshproof.prove.phases import Phase
from meshproof.prove.tally import Tally
from meshproof.prove.told import line_of, picture, told

HOSTILE = ["[/red] [v1]", "[bold]", "\\[x]", "ends in \\", "[link=x]a[/link] [/]", ":smile: [1, 2]"]


def shown(*things: object) -> str:
    console = Console(file=io.StringIO(), width=400)
    for thing in things:
        console.print(thing, highlight=False, soft_wrap=True)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def row(text: str) -> Row:
    cells = (Cell(f"test_x.py::test_y[{text}]", Mark.OTHER_REASON, "VIOLATE", f"saw {text}", f"wanted {text}"),)
    return Row("m", "mtls", f"breaks {text}", cells, problem=f"problem {text}")


@pytest.mark.parametrize("text", HOSTILE)
def test_brackets_in_foreign_text_are_shown(text: str) -> None:
    lines = shown(*told([row(text)], [f"test_z.py::test_{text}"]))
    for words in (
        f"m (breaks {text})",
        f"problem {text}",
        f"another reason: test_x.py::test_y[{text}]: saw {text}, had to say: wanted {text}",
        f"test_z.py::test_{text}",
    ):
        assert words in lines


@pytest.mark.parametrize("text", HOSTILE)
def test_brackets_are_shown_in_the_live_table_too(text: str) -> None:
    tally = Tally()
    tally.proven(row(text))
    tally.tried(replace(FINE, mutant="waits"))
    screen = shown(picture(tally, 3, {"next": Phase.TEST}))
    assert f"1 another reason problem {text}" in screen
    assert "testing" in screen
    assert "mutants: 1 of 3, 1 more tried" in screen


FINE = Row("m", "mtls", "It.", (Cell("test_x.py::test_y", Mark.CAUGHT, "VIOLATE"),), seconds=7.5)
SPENT = replace(FINE, phases={"break": 0.5, "settle": 2.0, "test": 3.0, "undo": 1.0, "heal": 1.0})


def test_rows_that_hold_are_only_counted() -> None:
    lines = shown(*told([FINE], [])).splitlines()
    assert lines[-1] == "1 of 1 mutants caught for the reason that each had to give"
    assert len(lines) == 2


def test_where_the_time_went_is_told() -> None:
    assert shown(line_of(SPENT)) == "m: caught, 8 s (break 0.5, settle 2.0, test 3.0, undo 1.0, heal 1.0)\n"
    assert "seconds: break 1, settle 4, test 6, undo 2, heal 2; 15 in all" in shown(*told([SPENT, SPENT], []))
    tally = Tally()
    tally.proven(SPENT)
    assert "settle" in shown(picture(tally, 1, {}))


def test_what_was_proven_a_second_time_is_told_although_it_holds() -> None:
    assert "m: proven again, alone: [v1]" in shown(*told([replace(FINE, note="proven again, alone: [v1]")], []))


def test_the_live_table_fits_on_the_screen_and_shows_what_is_wrong() -> None:
    tally = Tally()
    for number in range(40):
        tally.tried(replace(FINE, mutant=f"m{number}", problem="it cannot be put in force" if number == 3 else ""))
    screen = shown(picture(tally, 74, {"m40": Phase.TEST}, height=12)).splitlines()
    assert len(screen) < 12
    assert "40 more tried; 32 not shown" in screen[0]
    assert [line.split()[0] for line in screen[2:]] == ["m3", *(f"m{number}" for number in range(33, 40)), "m40"]
    assert len(shown(picture(tally, 74, {})).splitlines()) == 42


@pytest.mark.parametrize("height", range(1, 8))
def test_on_a_small_screen_the_latest_of_what_is_wrong_remains(height: int) -> None:
    tally = Tally()
    for number in range(5):
        tally.tried(replace(FINE, mutant=f"m{number}", problem="no"))
    screen = shown(picture(tally, 5, {}, height=height)).splitlines()
    assert len(screen) == 2 + max(1, min(height - 3, 5))
    assert screen[-1].split()[0] == "m4"
