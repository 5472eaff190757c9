"""What is done to the mesh: one mutant after the other in force, tested, undone; and the mesh proven well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from meshproof.errors import MeshproofError
from meshproof.mend.undoing import NotMended, Undo, not_undone, undo
from meshproof.mesh import MESH_NAMESPACES, Mesh
from meshproof.prove import journal
from meshproof.prove.changes import perform, planned, touched
from meshproof.prove.faults import calm, inject, spoil
from meshproof.prove.inner import run_tests
from meshproof.prove.matrix import Cell, is_expected, judge
from meshproof.prove.mutants import Mutant
from meshproof.prove.phases import Phase, Stopwatch
from meshproof.prove.settling import (
    concerns_addresses,
    concerns_proxies,
    gathered,
    generations,
    namespaces_of,
    reachable,
    settled,
    wait_until_seen,
)
from meshproof.report.results import UNHARMED, CheckResult

__all__ = ["Bench"]

_IMPATIENT = {
    "load_balancer_address": 8.0,
    "rollout": 15.0,
    "configuration_sync": 8.0,
    "log_line": 3.0,
    "profile": 12.0,
    "searchable": 9.0,
    "counted": 40.0,
}
"""On two cores a mesh that is well needed at most 1.2 s for a log line, 3.3 until something was found, and up to half a
minute until it was counted: what is seen just after an agent's ten seconds are over is told with the next ones."""
_WHERE_LEAVING_PODS_MATTER = ("istio-system", "metallb-system", "datadog")
"""A pod with a sidecar takes 10 s to leave, and nobody is led to it any more: the next mutant need not wait for that.
An agent that leaves still reads logs, and what comes to nodes' ports."""
_SHORT_SOAK = 180.0  # the restarts alone take a minute and a half


class Bench:
    """A mesh, at most one mutant in force in it by this lane, and the suites. `folder` is where their logs go."""

    def __init__(self, mesh: Mesh, suites: Path, folder: Path, watch: Stopwatch, lane: int = 0) -> None:
        self.watch = watch
        self._lane = lane
        self._mesh = mesh
        self._suites = suites
        self._folder = folder
        self._in_force: tuple[Mutant, list[Undo]] | None = None
        self._unsettled: Mutant | None = None
        self._left: set[str] = set()
        """Namespaces where pods may still be on their way out."""

    def put_in_force(self, mutant: Mutant) -> None:
        """Undo the mutant that is in force, if there is one, and wait until this one is in force instead.

        When it is to be waited for until all is rolled out, the other's mending is waited for in the same breath.

        Raises NotMended; another MeshproofError when the mesh does not settle or the mutant cannot be made: then what
        there is of it is in force.
        """
        self._undo(settle=mutant.settles != "rolled out", hurry=True)
        cluster = self._mesh.cluster
        with self.watch.runs(Phase.BREAK, mutant.name):
            steps = planned(cluster, mutant)
            before = generations(self._mesh)
            journal.begin(cluster, mutant.name, steps, self._lane)
            self._in_force = mutant, steps
            for step in mutant.steps:
                if step.faults is not None:
                    inject(self._mesh, [fault.model_dump() for fault in step.faults])
                elif step.spoils is not None:
                    spoil(self._mesh, [it.model_dump() for it in step.spoils])
                else:
                    perform(cluster, step)
        with self.watch.runs(Phase.SETTLE, mutant.name):
            if mutant.settles != "at once":
                wait_until_seen(self._mesh, touched(mutant), before)
                both = [it for it in (mutant, self._unsettled) if it is not None]
                settled(
                    self._mesh,
                    rolled_out=mutant.settles == "rolled out",
                    proxies=any(map(concerns_proxies, both)),
                    namespaces={namespace for it in both for namespace in namespaces_of(it)},
                    gone_from=_WHERE_LEAVING_PODS_MATTER,
                )
            elif concerns_proxies(mutant):
                gathered()  # what proxies will refuse can only be waited for until they are sent it

    def test(self, mutant: Mutant) -> tuple[Cell, ...]:
        """The mutant's tests, impatiently, and what became of each. Raises MeshproofError when they did not run."""
        with self.watch.runs(Phase.TEST, mutant.name):
            session = _impatient(self._mesh.session(mutant.name, self._folder), mutant)
            log = self._folder / f"{mutant.name}.log"
            return judge(mutant, run_tests(session, self._suites, mutant.tests, log, partial(is_expected, mutant)))

    def mend(self, hurry: bool = False) -> str:
        """Undo what is in force, and wait until the mesh has settled; why it has not, or "".

        In a `hurry` pods on their way out are not waited for where another mutant does not meet them. Raises NotMended.
        """
        try:
            self._undo(settle=True, hurry=hurry)
            if self._left and not hurry:
                settled(self._mesh, proxies=False, namespaces=self._left)
                self._left.clear()
        except NotMended:
            raise
        except MeshproofError as error:
            return f"not settled after mending: {error}"
        return ""

    def ill(self, tests: Sequence[str], mutants: Sequence[Mutant]) -> list[CheckResult]:
        """Those of the tests that do not hold now, while nothing is in force; the time is that of these mutants.

        With the patience of a mutant that asks for none of its own: or a check could be caught by what only takes
        longer than it waits.
        """
        names = [mutant.name for mutant in mutants]
        with self.watch.runs(Phase.HEAL, *names):
            name = f"{names[0]}-well-{self._lane}"
            session = _impatient(self._mesh.session(name, self._folder))
            checks = run_tests(session, self._suites, tests, self._folder / f"{name}.log")
        return [check for check in checks if check.verdict not in UNHARMED]

    def _undo(self, *, settle: bool, hurry: bool = False) -> None:
        cluster = self._mesh.cluster
        if self._in_force is not None:
            mutant, steps = self._in_force
            with self.watch.runs(Phase.UNDO, mutant.name):
                broken = generations(self._mesh)
                _insist(lambda: undo(cluster, steps, lambda: calm(self._mesh)), mutant)
                if left := not_undone(cluster, steps):
                    raise NotMended(f"mutant {mutant.name} is undone, and still there", seen="; ".join(left))
                self._in_force, self._unsettled = None, mutant
                wait_until_seen(self._mesh, touched(mutant), broken)
        if settle and self._unsettled is not None:
            mutant = self._unsettled
            with self.watch.runs(Phase.UNDO, mutant.name):
                settled(
                    self._mesh,
                    proxies=concerns_proxies(mutant),
                    namespaces=namespaces_of(mutant),
                    gone_from=_WHERE_LEAVING_PODS_MATTER if hurry else MESH_NAMESPACES,
                )
                self._left |= namespaces_of(mutant) if hurry else set()
                if concerns_addresses(mutant):
                    reachable(self._mesh)
                journal.end(cluster, self._lane)
                self._unsettled = None


def _insist(mending: Callable[[], None], mutant: Mutant) -> None:
    try:
        mending()
    except MeshproofError as error:
        raise NotMended(
            f"what mutant {mutant.name} broke cannot be undone",
            seen=error,
            remedy="make the cluster answer, and run anything: it begins with mending",
        ) from error


def _impatient(mesh: Mesh, mutant: Mutant | None = None) -> Mesh:
    """The same mesh with shorter timeouts: what is broken does not get well by waiting. With as much patience and as
    many requests as the mutant says that its tests need."""
    timeouts = mesh.timeouts
    wanted = dict(_IMPATIENT)
    changed: dict[str, Any] = {"soak_seconds": _SHORT_SOAK}
    if mutant is not None and mutant.patience is not None:
        wanted["searchable"] = mutant.patience
    if mutant is not None and mutant.requests is not None:
        changed["requests"] = mutant.requests
    limits = {name: min(getattr(timeouts, name), limit) for name, limit in wanted.items()}
    settings = mesh.settings.model_copy(update={**changed, "timeouts": timeouts.model_copy(update=limits)})
    return replace(mesh, settings=settings)
