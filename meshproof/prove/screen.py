"""A proof as it goes on: a live table on a terminal, lines elsewhere. Several lanes tell it what they do."""

from __future__ import annotations

from threading import Lock, current_thread
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from meshproof.prove.matrix import Row
from meshproof.prove.phases import Phase
from meshproof.prove.tally import Tally
from meshproof.prove.told import counted, line_of, picture, why

__all__ = ["Screen"]


class Screen:
    """What is shown of `number` mutants for the length of a block; `tally` keeps what is known of them. The threads of
    all lanes may use it at once."""

    def __init__(self, console: Console, tally: Tally, number: int) -> None:
        self._console = console
        self._tally = tally
        self._number = number
        self._doing: dict[str, tuple[str, Phase]] = {}
        """Mutant and phase, by the name of the lane's thread."""
        self._lock = Lock()
        self._live = Live(console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Screen:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, traceback)
        if kind is None and self._console.is_terminal:
            self._console.print(picture(self._tally, self._number, {}))

    def tell(self, name: str, phase: Phase) -> None:
        """A phase of a mutant begins in this thread's lane."""
        with self._lock:
            self._doing[current_thread().name] = (name, phase)
            self._draw()
            if phase is Phase.BREAK:
                self._say(f"{name}: tried now, {len(self._tally.rows)} of {self._number} have been")

    def tried(self, row: Row) -> None:
        """The tests of a mutant were run."""
        with self._lock:
            self._tally.tried(row)
            self._say(Text.assemble(f"{row.mutant}: ", counted(row)))

    def proven(self, row: Row) -> None:
        """The row is what it will be."""
        with self._lock:
            self._doing.clear()
            self._tally.proven(row)
            self._draw()
            self._say(line_of(row), *why(row))

    def _draw(self) -> None:
        doing = dict(self._doing.values())
        self._live.update(picture(self._tally, self._number, doing, self._console.height))

    def _say(self, *lines: Text | str) -> None:
        if not self._console.is_terminal:
            for line in lines:
                self._console.print(line, highlight=False, markup=False, soft_wrap=True)
