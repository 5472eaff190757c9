"""Programs are run to their end, and no further."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from meshproof import programs
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


@pytest.mark.parametrize("heeds", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN);"])
def test_late_program_is_ended_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heeds: str) -> None:
    """Those that end at SIGTERM, and those that do not."""
    monkeypatch.setattr(programs, "_GRACE_SECONDS", 1.0)
    note = tmp_path / "child"
    child = f"import os, pathlib, signal, time; {heeds} pathlib.Path({str(note)!r}).write_text(str(os.getpid()));"
    child += "time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with pytest.raises(ProgramFailed, match="not done after 3 s"):
        python(code, timeout=3)
    pid = int(note.read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_lines_are_seen_as_they_come() -> None:
    lines: list[str] = []
    python("print('one'); print('two')", on_line=lines.append)
    assert lines == ["one", "two"]


def test_input_is_given_and_environment_added() -> None:
    ended = python("import os; print(input() + os.environ['WORD'])", stdin="a", env={"WORD": "b"})
    assert ended.stdout == "ab\n"


def test_program_that_does_not_read_its_input_is_no_error() -> None:
    assert python("pass", stdin="x" * 1_000_000).returncode == 0
