"""The one way to run a program."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO

from meshproof.errors import MeshproofError

__all__ = ["Completed", "ProgramFailed", "run"]

_GRACE_SECONDS = 5.0
_LOOK_EVERY = 0.02


@dataclass(frozen=True)
class Completed:
    """How a program ended."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float


class ProgramFailed(MeshproofError):
    """A program could not be started, returned non-zero, or ran past its time."""

    def __init__(self, problem: str, completed: Completed | None = None, *, remedy: str | None = None) -> None:
        self.completed = completed
        seen = None
        if completed is not None:
            output = (completed.stderr.strip() or completed.stdout.strip()).splitlines()
            seen = "\n        ".join(output[-15:]) or "no output"
        super().__init__(problem, seen=seen, remedy=remedy)


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | bytes | None = None,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
    remedy: str | None = None,
) -> Completed:
    """Run `argv` to its end, at most `timeout` seconds, in a process group of its own.

    `env` is added to this process's environment. `on_line` sees each line of stdout and stderr as it comes.
    Past the time, and on any exception here (Ctrl-C), the whole group is ended: SIGTERM, then SIGKILL.

    Raises ProgramFailed when the program is missing, runs out of time, or (with `check`) returns non-zero.
    """
    words = [str(word) for word in argv]
    began = time.monotonic()
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise ProgramFailed(f"cannot start {words[0]}: {error.strerror}", remedy=remedy) from error
    stdout: list[str] = []
    stderr: list[str] = []
    readers = [
        _reader(process.stdout, stdout, on_line),
        _reader(process.stderr, stderr, on_line),
    ]
    in_time = True
    try:
        if stdin is not None:
            _feed(process, stdin.encode() if isinstance(stdin, str) else stdin)
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        in_time = False
        _end_group(process)
    except BaseException:
        _end_group(process)
        raise
    finally:
        for reader in readers:
            reader.join(_GRACE_SECONDS)
    completed = Completed(tuple(words), process.returncode, "".join(stdout), "".join(stderr), time.monotonic() - began)
    shown = shlex.join(words)
    if len(shown) > 200:
        shown = shown[:200] + " ..."
    if not in_time:
        raise ProgramFailed(f"{shown}: not done after {timeout:g} s, ended", completed, remedy=remedy)
    if check and process.returncode != 0:
        raise ProgramFailed(f"{shown}: exit code {process.returncode}", completed, remedy=remedy)
    return completed


def _reader(stream: IO[bytes] | None, lines: list[str], on_line: Callable[[str], None] | None) -> Thread:
    assert stream is not None

    def read() -> None:
        with stream:
            for raw in stream:
                line = raw.decode(errors="replace")
                lines.append(line)
                if on_line is not None:
                    on_line(line.rstrip("\n"))

    thread = Thread(target=read, daemon=True)
    thread.start()
    return thread


def _feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin is not None
    # A program that ends before it has read everything tells by its exit code.
    with suppress(BrokenPipeError), process.stdin:
        process.stdin.write(data)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Also of those that outlive the program, or do not heed SIGTERM."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        end = time.monotonic() + _GRACE_SECONDS
        while _group_is_there(process):
            if time.monotonic() > end:
                break
            time.sleep(_LOOK_EVERY)
        else:
            return


def _group_is_there(process: subprocess.Popen[bytes]) -> bool:
    process.poll()  # or its own zombie would be one of them
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True
