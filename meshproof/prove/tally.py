"""What is known of each mutant while a proof runs, and what remains of that when it is ended early."""

from __future__ import annotations

from dataclasses import replace

from meshproof.prove.matrix import Row

__all__ = ["Tally"]

_ENDED = "the run ended before the mesh was proven well again"


class Tally:
    """Rows in the order in which mutants were tried first. A mutant waits until the mesh was proven well after it."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._waiting: set[str] = set()

    def tried(self, row: Row) -> None:
        """The mutant was in force and its tests were run; no more is known yet."""
        self._rows[row.mutant] = row
        self._waiting.add(row.mutant)

    def proven(self, row: Row) -> None:
        """The row is what it will be."""
        self._rows[row.mutant] = row
        self._waiting.discard(row.mutant)

    @property
    def waiting(self) -> tuple[Row, ...]:
        """Of mutants that were tried, as they are so far."""
        return tuple(row for row in self._rows.values() if row.mutant in self._waiting)

    @property
    def done(self) -> tuple[Row, ...]:
        """Of mutants after which the mesh was proven well, or not to be."""
        return tuple(row for row in self._rows.values() if row.mutant not in self._waiting)

    @property
    def rows(self) -> tuple[Row, ...]:
        """All of them. One that waits does not hold: as if nothing more came."""
        return tuple(
            replace(row, restored=False, problem=row.problem or _ENDED) if row.mutant in self._waiting else row
            for row in self._rows.values()
        )
