"""A mesh that a killed run left broken on purpose is mended before anybody else looks at it."""

from __future__ import annotations

from meshproof.mesh import Mesh
from meshproof.prove import journal
from meshproof.prove.settling import settled
from meshproof.timeline import Timeline

__all__ = ["mend_leftovers"]


def mend_leftovers(mesh: Mesh, timeline: Timeline) -> None:
    """Undo the mutant that the cluster's note tells of, if it does, and wait until the mesh is well.

    Raises StateNotReached when it does not get well.
    """
    mutant = journal.mutant_in_force(mesh.cluster)
    if mutant is None:
        return
    with timeline.step("mend", group="stack") as step:
        step.note(f"mutant {mutant} was left in force by a killed run")
        journal.mend(mesh.cluster)
        settled(mesh)
