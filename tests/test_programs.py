"""Programs are run to their end, and no further."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from meshproof.programs import ProgramFailed, run


def python(code: str, **options: object):
    return run([sys.executable, "-c", code], **{"timeout": 20, **options})


def test_output_and_code_are_kept_apart() -> None:
    ended = python("import sys; print('out'); print('err', file=sys.stderr)")
    assert (ended.stdout, ended.stderr, ended.returncode) == ("out\n", "err\n", 0)


def test_failure_shows_the_programs_last_words() -> None:
    with pytest.raises(ProgramFailed, match="no such bed") as failed:
        python("import sys; sys.exit('no such bed')")
    assert failed.value.completed.returncode == 1


def test_failure_may_be_looked_at_instead() -> None:
    assert python("raise SystemExit(3)", check=False).returncode == 3


def test_missing_program_is_named() -> None:
    with pytest.raises(ProgramFailed, match="cannot start no-such-program"):
        run(["no-such-program"], timeout=1)


def test_late_program_is_ended_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "child"
    code = (
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid))\n"
        "time.sleep(60)"
    )
    with pytest.raises(ProgramFailed, match="not done after 1 s"):
        python(code, timeout=1)
    child = int(note.read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_lines_are_seen_as_they_come() -> None:
    lines: list[str] = []
    python("print('one'); print('two')", on_line=lines.append)
    assert lines == ["one", "two"]


def test_input_is_given_and_environment_added() -> None:
    ended = python("import os; print(input() + os.environ['WORD'])", stdin="a", env={"WORD": "b"})
    assert ended.stdout == "ab\n"


def test_program_that_does_not_read_its_input_is_no_error() -> None:
    assert python("pass", stdin="x" * 1_000_000).returncode == 0
