"""Load from a pod: the generator runs wherever there is Python, here as a program of this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from served import Served

from meshproof.errors import InvalidMeasurement
from meshproof.load.inside import run_inside
from meshproof.load.judging import SplitRun
from meshproof.load.rows import request_mark


@dataclass
class Result:
    stdout: bytes
    stderr: bytes
    code: int


def execute(argv: Sequence[str], timeout: float) -> Result:
    done = subprocess.run([sys.executable, *argv[1:]], capture_output=True, timeout=timeout)
    return Result(done.stdout, done.stderr, done.returncode)


def test_every_request_is_a_row_and_is_sent_once(two_arms: Callable[..., Served]) -> None:
    server = two_arms("--fail", "0.2", "--hang-up")
    run = SplitRun({"rate": 1_000.0, "cap": 300, "run_id": "tonight"})
    view, rows = run_inside(execute, server.url, run, portion=150)
    told = server.end()
    # So many without an answer: it stays INVALID, and the second portion is not sent.
    assert len(rows) == 150 == sum(told["requests"].values())
    marks = map(request_mark, map(int, rows.user), map(int, rows.start))
    assert told["agents"] == {f"meshproof-load/tonight {mark}": 1 for mark in marks}
    assert view.unattributed == told["failures"]["v2"] == int((rows.status == 0).sum())
    assert int((rows.version == "v1").sum()) == told["requests"]["v1"]
    assert view.arms[1].requests == told["requests"]["v2"] - told["failures"]["v2"]


def test_connections_are_kept(two_arms: Callable[..., Served]) -> None:
    server = two_arms()
    _, rows = run_inside(execute, server.url, SplitRun({"rate": 500.0, "cap": 100}), portion=50)
    assert len(rows) == 100
    assert len(set(rows.connection)) == server.end()["connections"] < 50


def test_a_pod_without_python_is_told() -> None:
    def broken(argv: Sequence[str], timeout: float) -> Result:
        return Result(b"", b"python3: not found", 127)

    with pytest.raises(InvalidMeasurement, match="cannot make load"):
        run_inside(broken, "http://127.0.0.1:9", SplitRun({}))
