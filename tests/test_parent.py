"""What we began ends with us, with all that it began itself."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from meshproof.parent import abandoned, with_parent
from meshproof.waiting import eventually

# A run that begins a program, which begins another one; both tell who they are, and stay.
PROGRAM = """
import os, subprocess, sys
from meshproof.parent import end_with_parent
{watch}
print(os.getpid(), flush=True)
subprocess.run([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"])
"""
RUN = """
import sys
from meshproof.parent import with_parent
from meshproof.programs import run
run([sys.executable, "-c", sys.argv[1]], timeout=600, env=with_parent(), on_line=lambda line: print(line, flush=True))
"""


def left_of(program: str) -> list[psutil.Process]:
    """The program and what it began, after its run was killed."""
    run = subprocess.Popen([sys.executable, "-c", RUN, program], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    with run.stdout:
        family = [psutil.Process(int(run.stdout.readline())) for _ in range(2)]
    run.kill()
    run.wait()
    return family


def runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_a_program_and_what_it_began_end_with_the_run() -> None:
    family = left_of(PROGRAM.format(watch="end_with_parent()"))
    eventually(lambda: not any(map(runs, family)), timeout=30, what="both have ended")


def test_without_it_both_would_go_on() -> None:
    family = left_of(PROGRAM.format(watch=""))
    try:
        assert all(map(runs, family))
    finally:
        for process in family:
            process.kill()


def test_nobody_is_missed_where_nobody_is_named() -> None:
    assert not abandoned({})
    (name,) = with_parent()
    assert abandoned(with_parent()), "this process is not its own parent"
    assert not abandoned({name: str(os.getppid())})
