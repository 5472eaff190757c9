"""Each mutant in turn: break, wait until it is in force, run the tests concerned, mend, and prove that all is well."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from meshproof.errors import MeshproofError
from meshproof.mesh import Mesh
from meshproof.prove import journal
from meshproof.prove.changes import perform, planned, touched, undo
from meshproof.prove.faults import calm, inject
from meshproof.prove.inner import collected, run_tests
from meshproof.prove.matrix import Row, is_expected, judge, unproven
from meshproof.prove.mutants import Mutant, filled
from meshproof.prove.settling import generations, settled, wait_until_seen
from meshproof.report.results import CheckResult, LeftOut
from meshproof.verdict import Verdict

__all__ = ["prove", "unproven_tests"]

_IMPATIENT = {
    "load_balancer_address": 8.0,
    "rollout": 15.0,
    "configuration_sync": 8.0,
    "log_line": 5.0,
    "profile": 20.0,
    "searchable": 15.0,
    "counted": 25.0,
}
Tell = Callable[[str, str], None]
"""Called with a mutant's name and what is being done."""


def prove(mesh: Mesh, mutants: Sequence[Mutant], suites: Path, tell: Tell) -> Iterator[Row]:
    """Try the mutants one after the other; each row is given as soon as its mesh is mended again.

    Raises MeshproofError when the mesh is not well before the first, or cannot be mended: nothing more is told then.
    """
    settled(mesh)
    words = {
        "node": mesh.cluster.list("Node")[0]["metadata"]["name"],
        "pool.last": str(mesh.pool.last),
    }
    for mutant in (filled(mutant, words) for mutant in mutants):
        began = time.monotonic()
        row = _try(mesh, mutant, suites, tell)
        yield replace(row, seconds=round(time.monotonic() - began, 1))


def unproven_tests(mesh: Mesh, rows: Sequence[Row], suites: Path) -> list[str]:
    """The test functions of the suites that no row's mutant made fail for the right reason."""
    return unproven(rows, collected(mesh, suites, _folder(mesh) / "collect.log"))


def _try(mesh: Mesh, mutant: Mutant, suites: Path, tell: Tell) -> Row:
    log = _folder(mesh) / f"{mutant.name}.log"
    row = Row(mutant.name, mutant.area, mutant.breaks, ())
    try:
        with _in_force(mesh, mutant, tell):
            tell(mutant.name, "testing")
            session = _impatient(_session(mesh, mutant.name))
            checks = run_tests(session, suites, mutant.tests, log, partial(is_expected, mutant))
            row = replace(row, cells=judge(mutant, checks))
    except MeshproofError as error:
        row = replace(row, problem=str(error))
    tell(mutant.name, "testing again")
    again = run_tests(_session(mesh, f"{mutant.name}-mended"), suites, mutant.tests, log)
    ill = [check for check in again if check.verdict not in (Verdict.CONFORM, LeftOut.NOT_PROVEN)]
    return replace(row, restored=not ill, problem=row.problem or _words(ill))


@contextmanager
def _in_force(mesh: Mesh, mutant: Mutant, tell: Tell) -> Iterator[None]:
    """The mutant for the length of the block; afterwards the mesh is as before, and settled."""
    cluster = mesh.cluster
    steps = planned(cluster, mutant)
    before = generations(mesh)
    journal.begin(cluster, mutant.name, steps)
    try:
        tell(mutant.name, "breaking")
        for step in mutant.steps:
            if step.faults is not None:
                inject(mesh, step.faults)
            else:
                perform(cluster, step)
        if mutant.settles != "at once":
            tell(mutant.name, "waiting until it is in force")
            wait_until_seen(mesh, touched(mutant), before)
            settled(mesh, rolled_out=mutant.settles == "rolled out")
        yield
    finally:
        tell(mutant.name, "mending")
        broken = generations(mesh)
        undo(cluster, steps, lambda: calm(mesh))
        wait_until_seen(mesh, touched(mutant), broken)
        settled(mesh)
        journal.end(cluster)


def _session(mesh: Mesh, name: str) -> Mesh:
    """The same mesh for a session of its own, with its own folder and beginning."""
    settings = mesh.settings.model_copy(update={"reports": _folder(mesh)})
    return replace(mesh, settings=settings, session_id=name, began=datetime.now(UTC))


def _impatient(mesh: Mesh) -> Mesh:
    """The same mesh with shorter timeouts: what is broken does not get well by waiting."""
    timeouts = mesh.timeouts
    limits = {name: min(getattr(timeouts, name), limit) for name, limit in _IMPATIENT.items()}
    settings = mesh.settings.model_copy(update={"timeouts": timeouts.model_copy(update=limits)})
    return replace(mesh, settings=settings)


def _folder(mesh: Mesh) -> Path:
    return mesh.reports / "mutants"


def _words(ill: Sequence[CheckResult]) -> str:
    if not ill:
        return ""
    return "not well after mending: " + "; ".join(f"{check.check}: {check.reason}" for check in ill[:3])
