"""A mesh that a killed run left broken on purpose is mended before anybody else looks at it."""

from __future__ import annotations

from meshproof.mend.notes import mend_noted
from meshproof.mesh import Mesh
from meshproof.prove import journal
from meshproof.prove.faults import calm
from meshproof.prove.settling import settled
from meshproof.timeline import Timeline

__all__ = ["mend_leftovers"]


def mend_leftovers(mesh: Mesh, timeline: Timeline) -> None:
    """Undo what killed runs left changed, as the cluster's notes tell, and wait until the mesh is well.

    Raises StateNotReached when it does not get well.
    """
    if changed := mend_noted(mesh.cluster):
        with timeline.step("undo", group="stack") as step:
            step.note(f"a killed run left changed: {', '.join(changed)}")
            settled(mesh)
    mutants = journal.mutants_in_force(mesh.cluster)
    if not mutants:
        return
    with timeline.step("mend", group="stack") as step:
        step.note(f"left in force by a killed run: mutant {', '.join(mutants)}")
        journal.mend(mesh.cluster, lambda: calm(mesh))
        settled(mesh)
