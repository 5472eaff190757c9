"""What mutants and tests are about, by their own word: what says nothing is about everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_

from meshproof.parts import EVERYTHING, NOTHING, Footprint
from meshproof.prove.matrix import is_of
from meshproof.prove.mutants import Mutant

__all__ = ["Footprints"]


class Footprints:
    """The footprints of all tests, by node id; those of anything else are made of them."""

    def __init__(self, tests: Mapping[str, Footprint]) -> None:
        self._tests = tests

    def of_tests(self, tests: Iterable[str]) -> Footprint:
        """Of test functions, or cases of them, together. One that is not known is about everything."""
        found = [
            [footprint for node, footprint in self._tests.items() if is_of(test, node)] or [EVERYTHING]
            for test in tests
        ]
        return reduce(or_, (footprint for each in found for footprint in each), NOTHING)

    def of_mutant(self, mutant: Mutant) -> Footprint:
        """Of a mutant in force, while its tests are run."""
        return Footprint.of(mutant.touches, ()) | self.of_tests(mutant.tests)

    def units(self, tests: Iterable[str]) -> list[tuple[str, ...]]:
        """The tests in sessions: those of a file in one, since they share its measurements; and in the last one all of
        files that need the mesh for themselves."""
        files: dict[str, list[str]] = {}
        for test in tests:
            files.setdefault(test.partition("::")[0], []).append(test)
        alone = [file for file, own in files.items() if not self.of_tests(own).shares]
        together = [test for file in alone for test in files[file]]
        return [tuple(own) for file, own in files.items() if file not in alone] + (
            [tuple(together)] if together else []
        )
