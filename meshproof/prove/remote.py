"""A bench in a process of its own: one process runs one session of pytest at a time, and there are several lanes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from meshproof.errors import MeshproofError
from meshproof.interrupts import terminate_like_interrupt
from meshproof.kube import Cluster
from meshproof.mend.undoing import NotMended
from meshproof.mesh import Mesh
from meshproof.parent import end_with_parent, with_parent
from meshproof.prove.bench import Bench
from meshproof.prove.matrix import Cell
from meshproof.prove.mutants import Mutant
from meshproof.prove.phases import Phase, Stopwatch
from meshproof.report.results import CheckResult

__all__ = ["Place", "RemoteBench"]

_MENDING = 180.0
"""Seconds for a process to mend what it broke, when it is told to end."""


@dataclass(frozen=True)
class Place:
    """Where mutants are tried: a mesh that stands, the suites, and the folder for their logs."""

    mesh: Mesh
    suites: Path
    folder: Path


class RemoteBench:
    """What bench.Bench does, done by another process, in this one's network namespace, for one lane.

    `began` is called with a mutant's name and phase whenever a phase begins.
    """

    def __init__(self, place: Place, lane: int, began: Callable[[str, Phase], None]) -> None:
        self._began = began
        self._seconds: Mapping[str, Mapping[str, float]] = {}
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        mesh = place.mesh
        standing = (mesh.settings, replace(mesh.bed, images=None), mesh.installed, mesh.session_id)
        words = (theirs, standing, place.suites, place.folder, lane, with_parent())
        self._process = context.Process(target=_serve, args=words, name=f"lane {lane}", daemon=True)
        self._process.start()
        theirs.close()

    def put_in_force(self, mutant: Mutant) -> None:
        """See Bench."""
        self._ask("put_in_force", mutant)

    def test(self, mutant: Mutant) -> tuple[Cell, ...]:
        """See Bench."""
        cells: tuple[Cell, ...] = self._ask("test", mutant)
        return cells

    def mend(self, hurry: bool = False) -> str:
        """See Bench."""
        return str(self._ask("mend", hurry))

    def ill(self, tests: Sequence[str], mutants: Sequence[Mutant]) -> list[CheckResult]:
        """See Bench."""
        found: list[CheckResult] = self._ask("ill", list(tests), list(mutants))
        return found

    def seconds(self, mutant: str) -> Mapping[str, float]:
        """What a mutant has taken in this lane, by phase."""
        return self._seconds.get(mutant, {})

    def leave(self) -> None:
        """Interrupt what goes on: the process mends what it broke, and ends."""
        self._process.terminate()

    def close(self) -> None:
        """Wait until the process has mended what it broke and ended; one that takes too long is killed, and the next
        run mends it."""
        with suppress(OSError):
            self._ours.send(None)
        self._process.join(_MENDING)
        if self._process.is_alive():
            self._process.kill()
        self._ours.close()

    def _ask(self, what: str, *words: object) -> Any:
        try:
            self._ours.send((what, words))
            while True:
                kind, content = self._ours.recv()
                if kind == "began":
                    self._began(*content)
                    continue
                self._seconds = content[1]
                break
        except (EOFError, OSError) as error:
            raise NotMended(
                "a process that tried mutants has ended before its time",
                seen=f"exit code {self._process.exitcode}",
                remedy="run anything: it begins with mending",
            ) from error
        if kind == "answer":
            return content[0]
        raise (NotMended if kind == "not mended" else MeshproofError)(content[0])


def _serve(
    connection: Connection,
    standing: tuple[Any, ...],
    suites: Path,
    folder: Path,
    lane: int,
    environment: Mapping[str, str],
) -> None:
    """Do as asked until None is; however it ends, nothing stays in force."""
    os.setpgid(0, 0)  # an interrupt from the keyboard is the other process's to pass on
    os.environ.update(environment)
    end_with_parent()
    terminate_like_interrupt()
    settings, bed, installed, session_id = standing
    with Cluster(bed.kubeconfig, bed.context, settings.timeouts) as cluster:
        watch = Stopwatch(lambda name, phase: connection.send(("began", (name, phase))))
        bench = Bench(Mesh(settings, bed, cluster, installed, session_id), suites, folder, watch, lane)
        try:
            while (asked := connection.recv()) is not None:
                connection.send(_answer(bench, *asked))
        except (EOFError, OSError, KeyboardInterrupt):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # whoever is impatient waits until all is mended
        watch.silence()
        bench.mend()


def _answer(bench: Bench, what: str, words: Sequence[Any]) -> tuple[str, tuple[Any, Mapping[str, Any]]]:
    try:
        kind, content = "answer", getattr(bench, what)(*words)
    except NotMended as error:
        kind, content = "not mended", str(error)
    except MeshproofError as error:
        kind, content = "error", str(error)
    return kind, (content, bench.watch.all())
