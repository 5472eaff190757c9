"""`meshproof nightly`: the stages of a night, each a program of its own that talks to the terminal itself."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from rich.console import Console

from meshproof.bed.ownership import Records, RunState
from meshproof.files import suites_folder
from meshproof.nightly.stages import USAGE, Stage, exit_code, plan, told
from meshproof.settings import Settings

__all__ = ["run_night"]

_ALONE = 60.0
"""Seconds for a stage to end by itself after an interrupt, before it is told to."""


def run_night(settings: Settings, given: Mapping[str, str], arguments: Sequence[str], console: Console) -> int:
    """Run all stages with the environment `given`; the exit code is that of `stages.exit_code`.

    A cluster that was kept before the night stays, and so does a borrowed one. Raises UsageError.
    """
    suites = suites_folder("a night")
    kept = any(r.cluster_name == settings.cluster_name and r.state is RunState.KEPT for r in Records(settings.state))
    ended: list[tuple[Stage, int]] = []
    seconds: dict[str, float] = {}
    stages = plan(settings, arguments, suites, stays=kept or settings.keep_cluster)

    def carry_out(stage: Stage) -> None:
        began = time.monotonic()
        ended.append((stage, _run(stage, given)))
        seconds[stage.name] = time.monotonic() - began

    try:
        for stage in stages:
            if stage.name != "down" and (not ended or ended[0][1] != USAGE):
                carry_out(stage)
    finally:
        for stage in stages:
            if stage.name == "down":
                carry_out(stage)
    console.print("night", style="bold")
    for line in told(ended, seconds, settings.night_seconds):
        console.print(line, highlight=False, markup=False)
    return exit_code(ended)


def _run(stage: Stage, environment: Mapping[str, str]) -> int:
    """Not programs.run: what a stage says is for the terminal, and an interrupt reaches it there, too."""
    program = subprocess.Popen(stage.argv, env=dict(environment))
    try:
        return program.wait()
    except KeyboardInterrupt:
        # From a terminal it was interrupted as well; it takes away what it made, and is waited for.
        with suppress(subprocess.TimeoutExpired):
            program.wait(_ALONE)
        if program.poll() is None:
            program.terminate()
            program.wait()
        raise
