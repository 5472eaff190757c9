"""What a proof says on the screen: a line a mutant while it runs, and what was not as it had to be at its end.

Reasons, node ids and the words of mutants are foreign text: they never pass through rich's markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from meshproof.prove.matrix import Cell, Mark, Row, left_out, without_mutant
from meshproof.prove.mutants import Mutant
from meshproof.prove.phases import Phase
from meshproof.prove.tally import Tally

__all__ = ["counted", "line_of", "listed", "picture", "told", "why"]

_STYLES = {
    Mark.CAUGHT: "green",
    Mark.GREEN: "dim",
    Mark.OTHER_REASON: "bold yellow",
    Mark.MISSED: "bold red",
    Mark.COLLATERAL: "bold magenta",
    Mark.NOT_RUN: "bold red",
    Mark.LEFT_OUT: "dim",
}
_DOING = {
    Phase.BREAK: "breaking",
    Phase.SETTLE: "waiting until it is in force",
    Phase.TEST: "testing",
    Phase.UNDO: "mending",
    Phase.HEAL: "testing that all is well",
}
_LONGEST = 300
_FRAME = 3
"""Lines of the title and the head of the table, and one to spare."""


def picture(tally: Tally, number: int, doing: Mapping[str, Phase], height: int | None = None) -> Table:
    """The rows so far, of `number` in all, and what is being done now to which mutant; in no more than `height` lines
    if given: then only the latest rows, and those that do not look as they have to."""
    title = f"mutants: {len(tally.done)} of {number}"
    if tally.waiting:
        title += f", {len(tally.waiting)} more tried"
    rows = (*tally.done, *tally.waiting)
    if height is not None:
        shown = _latest(rows, max(height - _FRAME - len(doing), 1))
        title += f"; {len(rows) - len(shown)} not shown" if len(shown) < len(rows) else ""
        rows = shown
    table = Table(title=title, title_justify="left", box=None)
    for column in ("mutant", "property", ""):
        table.add_column(column, no_wrap=True)
    for column in (*Phase, "seconds"):
        table.add_column(column, justify="right")
    for row in rows:
        spent = [f"{row.phases.get(phase, 0.0):.0f}" for phase in Phase]
        table.add_row(row.mutant, row.area, counted(row), *spent, f"{row.seconds:.0f}")
    for name, phase in doing.items():
        table.add_row(name, "", Text(_DOING[phase], style="cyan"))
    return table


def _latest(rows: Sequence[Row], number: int) -> tuple[Row, ...]:
    ill = [place for place, row in enumerate(rows) if not row.holds][-number:]
    others = [place for place, row in enumerate(rows) if row.holds]
    places = sorted([*ill, *others[len(others) - (number - len(ill)) :]] if number > len(ill) else ill)
    return tuple(rows[place] for place in places)


def line_of(row: Row) -> Text:
    """A row in one line, for where there is no live table."""
    spent = ", ".join(f"{phase} {row.phases.get(phase, 0.0):.1f}" for phase in Phase)
    return Text(f"{row.mutant}: {'caught' if row.holds else 'NOT as it had to be'}, {row.seconds:.0f} s ({spent})")


def listed(mutants: Sequence[Mutant], tests: Sequence[str]) -> Iterator[Text]:
    """The mutants, and those of the test functions that none of them says it makes fail."""
    for mutant in mutants:
        yield Text.assemble((mutant.name, "bold"), f": {mutant.breaks}")
    missing = without_mutant(mutants, tests)
    others = f"; unproven, since none of them makes them fail: {len(missing)} tests" if tests else ""
    yield Text(f"{len(mutants)} mutants{others}")
    yield from (Text(f"  {test}") for test in missing)


def counted(row: Row) -> Text:
    """How many cells of a row have which mark, and its problem, if it has one."""
    counts = {mark: sum(cell.mark is mark for cell in row.cells) for mark in Mark}
    texts = [Text(f"{count} {mark.value}", style=_STYLES[mark]) for mark, count in counts.items() if count]
    if row.problem:
        texts.append(Text(row.problem.splitlines()[0][:80], style="bold red"))
    return Text(" ").join(texts)


def told(rows: Sequence[Row], unproven: Sequence[str]) -> Iterator[Text]:
    """The lines at the end: the rows that do not hold, with why, and the tests that no mutant makes fail."""
    for row in rows:
        if row.note:
            yield Text(f"{row.mutant}: {row.note}")
        if not row.holds:
            yield Text.assemble((row.mutant, "bold"), f" ({row.breaks})")
            yield from why(row)
    spent = [f"{phase} {sum(row.phases.get(phase, 0.0) for row in rows):.0f}" for phase in Phase]
    yield Text(f"seconds: {', '.join(spent)}; {sum(row.seconds for row in rows):.0f} in all")
    caught = sum(row.holds for row in rows)
    yield Text(f"{caught} of {len(rows)} mutants caught for the reason that each had to give")
    if unproven:
        yield Text(f"unproven, since no mutant makes them fail: {len(unproven)} tests")
        yield from (Text(f"  {test}") for test in unproven)
    if never := left_out(rows):
        yield Text(f"NOT PROVEN on this bed, whatever a mutant breaks: {len(never)} tests")
        yield from (Text(f"  {test}") for test in never)


def why(row: Row) -> Iterator[Text]:
    """What was not as it had to be, a line each; none when all was."""
    if row.problem:
        yield Text(f"  {row.problem}")
    for cell in row.cells:
        if cell.mark not in (Mark.CAUGHT, Mark.GREEN, Mark.LEFT_OUT):
            yield Text(f"  {_words(cell)}")


def _words(cell: Cell) -> str:
    wanted = f", had to say: {cell.wanted}" if cell.wanted else ""
    return f"{cell.mark.value}: {cell.test}: {' '.join(cell.reason.split())[:_LONGEST]}{wanted}"
