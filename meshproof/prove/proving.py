"""The mutants against a mesh that stands: broken, seen to be noticed, mended, and the mesh proven well again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from meshproof.mesh import Mesh
from meshproof.prove.bench import Bench
from meshproof.prove.groups import LARGEST, prove_in_groups
from meshproof.prove.matrix import Row
from meshproof.prove.mutants import Mutant, filled
from meshproof.prove.phases import Phase, Stopwatch
from meshproof.prove.settling import settled

__all__ = ["prove"]


def prove(
    mesh: Mesh,
    mutants: Sequence[Mutant],
    suites: Path,
    tell: Callable[[str, Phase], None],
    tried: Callable[[Row], None],
    largest: int = LARGEST,
) -> Iterator[Row]:
    """Try the mutants, in groups of at most `largest`; each group's rows are given when the mesh was proven well again.

    `tell` is called with a mutant's name and phase whenever a phase begins, `tried` with what its tests showed, before
    the mesh was proven well again. Raises MeshproofError when the mesh is not well before the first, NotMended when
    something cannot be undone: nothing more is told then.
    """
    settled(mesh)
    words = {
        "node": mesh.cluster.list("Node")[0]["metadata"]["name"],
        "pool.last": str(mesh.pool.last),
    }
    bench = Bench(mesh, suites, mesh.reports / "mutants", Stopwatch(tell))
    yield from prove_in_groups(bench, [filled(mutant, words) for mutant in mutants], largest, tried)
