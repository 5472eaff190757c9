"""The mutants against a mesh that stands: broken, seen to be noticed, mended, and the mesh proven well again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from meshproof.mesh import Mesh
from meshproof.parts import Footprint
from meshproof.prove.footprints import Footprints
from meshproof.prove.groups import LARGEST, prove_in_groups
from meshproof.prove.matrix import Row
from meshproof.prove.mutants import Mutant, filled
from meshproof.prove.phases import Phase
from meshproof.prove.remote import Place, RemoteBench
from meshproof.prove.settling import settled

__all__ = ["LANES", "prove"]

LANES = 2
"""One leaves two processors idle for more than half of the time: it waits for what must not come."""


def prove(
    mesh: Mesh,
    mutants: Sequence[Mutant],
    suites: Path,
    tests: Mapping[str, Footprint],
    tell: Callable[[str, Phase], None],
    tried: Callable[[Row], None],
    *,
    largest: int = LARGEST,
    lanes: int = LANES,
) -> Generator[Row]:
    """Try the mutants, in groups of at most `largest` and in so many lanes; each group's rows are given when the mesh
    was proven well again. `tests` are the footprints of the suites' tests, by node id.

    `tell` is called with a mutant's name and phase whenever a phase begins, `tried` with what its tests showed, before
    the mesh was proven well again; both by threads of the lanes. Raises MeshproofError when the mesh is not well before
    the first, NotMended when something cannot be undone: nothing more is told then.
    """
    settled(mesh)
    words = {
        "node": mesh.cluster.list("Node")[0]["metadata"]["name"],
        "pool.last": str(mesh.pool.last),
    }
    place = Place(mesh, suites, mesh.reports / "mutants")
    with ExitStack() as stack:
        benches = [RemoteBench(place, lane, tell) for lane in range(min(lanes, len(mutants)))]
        for bench in benches:
            stack.callback(bench.close)
        own = [filled(mutant, words) for mutant in mutants]
        yield from prove_in_groups(benches, own, Footprints(tests), largest, tried)
