"""Where the time of a proof goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum

__all__ = ["Phase", "Stopwatch"]


class Phase(StrEnum):
    """What is done with a mutant, in this order."""

    BREAK = "break"
    SETTLE = "settle"
    """Waiting until it is in force. In a group this is also the wait for the mending of the one before."""
    TEST = "test"
    UNDO = "undo"
    HEAL = "heal"
    """Waiting until the mesh is well, and proving it: once a group, in equal shares."""


class Stopwatch:
    """Seconds by mutant and phase. `began`, if given, is called with both whenever a phase begins."""

    def __init__(
        self, began: Callable[[str, Phase], None] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds: dict[str, dict[Phase, float]] = defaultdict(lambda: dict.fromkeys(Phase, 0.0))
        self._began = began
        self._clock = clock

    @contextmanager
    def runs(self, phase: Phase, *mutants: str) -> Iterator[None]:
        """Count the block as this phase of these mutants, in equal shares, however it ends."""
        if self._began is not None and mutants:
            self._began(mutants[-1], phase)
        start = self._clock()
        try:
            yield
        finally:
            for mutant in mutants:
                self._seconds[mutant][phase] += (self._clock() - start) / len(mutants)

    def silence(self) -> None:
        """Nobody is told any more when a phase begins."""
        self._began = None

    def all(self) -> Mapping[str, Mapping[str, float]]:
        """What each mutant has taken so far, by phase."""
        return {
            mutant: {phase.value: taken for phase, taken in phases.items()} for mutant, phases in self._seconds.items()
        }
