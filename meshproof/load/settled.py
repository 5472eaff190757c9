"""Rows in the order of their starts, as soon as nothing that started before them is still under way.

A look at the answers that happen to be there would favour the faster arm. So only requests count whose predecessors
have all ended; their number says nothing about who answered them.
"""

from __future__ import annotations

from meshproof.load.rows import Rows

__all__ = ["Settled"]


class Settled:
    """Merges the rows of many generators."""

    def __init__(self) -> None:
        self._complete: dict[str, int] = {}
        self._waiting: list[Rows] = []

    def expect(self, source: str) -> None:
        """A generator whose rows will come: nothing settles that could have started after what it has told."""
        self._complete.setdefault(source, 0)

    def add(self, source: str, rows: Rows, complete_before: int) -> None:
        """Rows of one generator, all of whose requests that started before `complete_before` have now been told."""
        self._complete[source] = max(complete_before, self._complete.get(source, 0))
        if len(rows):
            self._waiting.append(rows)

    def take(self, *, everything: bool = False) -> Rows:
        """The rows that have settled since the last time, in order; at the end of a run, everything."""
        rows = Rows.joined(self._waiting).in_order()
        if everything:
            self._waiting = []
            return rows
        settled = rows.start < min(self._complete.values(), default=0)
        self._waiting = [rows.where(~settled)]
        return rows.where(settled)
