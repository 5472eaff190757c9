"""Foreign text reaches the screen as it is, whatever brackets it has."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from meshproof.prove.matrix import Cell, Mark, Row
from meshproof.prove.told import picture, told

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
    screen = shown(picture([row(text)], 2, {"next": f"testing {text}"}))
    assert f"1 another reason problem {text}" in screen
    assert f"testing {text}" in screen
    assert "mutants: 1 of 2" in screen


def test_rows_that_hold_are_only_counted() -> None:
    fine = Row("m", "mtls", "It.", (Cell("test_x.py::test_y", Mark.CAUGHT, "VIOLATE"),))
    assert shown(*told([fine], [])) == "1 of 1 mutants caught for the reason that each had to give\n"
