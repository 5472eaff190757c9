"""`meshproof prove`: the mutants against a standing mesh, live, and the matrix at the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict

from rich.console import Console

from meshproof.files import suites_folder
from meshproof.mesh import Mesh
from meshproof.prove.choice import chosen, to_prove
from meshproof.prove.groups import LARGEST
from meshproof.prove.inner import collected
from meshproof.prove.matrix import Row, left_out
from meshproof.prove.matrix import unproven as unproven_tests
from meshproof.prove.proving import LANES, prove
from meshproof.prove.screen import Screen
from meshproof.prove.tally import Tally
from meshproof.prove.told import listed, told
from meshproof.report.files import point_latest
from meshproof.settings import Settings
from meshproof.standing import standing
from meshproof.timeline import Timeline
from meshproof.timeline.live import live

__all__ = ["list_mutants", "run_proof"]


def list_mutants(folders: Sequence[str], names: Sequence[str], console: Console) -> None:
    """Tell the mutants, and the tests that none of them says it makes fail, from the files alone: no cluster is needed.

    Raises UsageError when a mutant is not there or wrong.
    """
    tests = collected(suites_folder("prove"))
    for line in listed(chosen(folders, names, [*tests]), to_prove(folders, [*tests])):
        console.print(line, highlight=False, soft_wrap=True)


def run_proof(
    settings: Settings,
    names: Sequence[str],
    console: Console,
    *,
    folders: Sequence[str] = (),
    together: int | None = None,
    lanes: int | None = None,
) -> bool:
    """Stand the mesh up, or take a kept one over; try the mutants; tell and write down what came of it.

    `folders` hold the mutants: ours when none is given. At most `together` of them share one proof that the mesh is
    well again; so many `lanes` try mutants side by side, where these stay apart. Returns whether every mutant was
    caught as it had to be. Raises UsageError before anything is created when a mutant is not there or wrong.
    """
    suites = suites_folder("prove")
    tests = collected(suites)
    mutants = chosen(folders, names, [*tests])
    tally = Tally()
    unproven: list[str] = []
    timeline = Timeline()
    setup = standing(settings, timeline, Timeline())
    with live(timeline, console):
        mesh = setup.__enter__()
    try:
        try:
            with Screen(console, tally, len(mutants)) as screen:
                rows = prove(
                    mesh,
                    mutants,
                    suites,
                    tests,
                    screen.tell,
                    screen.tried,
                    largest=together or LARGEST,
                    lanes=lanes or LANES,
                )
                with closing(rows):
                    for row in rows:
                        screen.proven(row)
            unproven += [] if names else unproven_tests(tally.rows, to_prove(folders, [*tests]))
        finally:
            _write(mesh, tally.rows, unproven)  # also what there is of a proof that was ended
    finally:
        setup.__exit__(None, None, None)
    for line in told(tally.rows, unproven):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"matrix: {mesh.reports / 'prove.json'}", highlight=False, markup=False)
    return all(row.holds for row in tally.rows)


def _write(mesh: Mesh, rows: Sequence[Row], unproven: Sequence[str]) -> None:
    mesh.reports.mkdir(parents=True, exist_ok=True)
    told_rows = [asdict(row) | {"holds": row.holds} for row in rows]
    content = {"rows": told_rows, "unproven": list(unproven), "left_out": left_out(rows)}
    (mesh.reports / "prove.json").write_text(json.dumps(content, indent=1, ensure_ascii=False))
    with suppress(OSError):
        point_latest(mesh.settings.reports, mesh.reports)
