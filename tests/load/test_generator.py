"""How load is made, whatever the target does: Locust as a program, against a real server."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from served import Served

from meshproof.load.outside import run_outside
from meshproof.load.parquet import read_rows

CANARY = Path(__file__).parents[2] / "loadtests" / "canary.py"


def test_an_answer_that_trickles_ends_at_the_limit_and_keeps_no_start_waiting(two_arms: Callable[..., Served]) -> None:
    """Every byte of it comes soon; the whole request has one limit. Meanwhile the other arm answers."""
    server = two_arms("--trickle", "0.05")
    options = {"rate": 100, "requests": 300, "request-timeout": 0.6, "late-after": 10, "users": 2}
    rows = run_outside("canary", server.url, options, seconds=60).rows
    slow = rows.status == 0
    assert set(rows.error[slow]) == {"Timeout: 0.6 seconds"}
    assert np.all(rows.service[slow] >= 0.6) and np.all(rows.version[~slow] == "v1")
    first, end = rows.start[slow][0], rows.end[slow][0]
    assert np.count_nonzero((rows.start[~slow] > first) & (rows.end[~slow] < end)) > 10
    marks = server.end()["agents"]
    assert set(marks.values()) == {1} and len(marks) == len(rows)


def test_starts_that_find_every_line_in_use_are_dropped_and_counted(two_arms: Callable[..., Served]) -> None:
    server = two_arms("--latency", "0.2", "--sigma", "0")
    options = {"rate": 60, "requests": 50, "max-in-flight": 3, "users": 2, "late-after": 10}
    ended = run_outside("canary", server.url, options, seconds=60)
    (made,) = ended.facts["generators"].values()
    assert made["planned"] == made["sent"] + made["dropped"] and made["sent"] == len(ended.rows)
    assert made["dropped"] > made["sent"], "three lines make 15 requests a second"
    assert len(np.unique(ended.rows.user)) == server.end()["connections"] == 3
    for at in ended.rows.start:
        assert np.count_nonzero((ended.rows.start <= at) & (ended.rows.end > at)) <= 3


def test_a_connection_that_ended_while_idle_is_replaced_and_nothing_is_lost(two_arms: Callable[..., Served]) -> None:
    """And what else a client does: it keeps cookies, unpacks answers, and tells Locust's own statistics."""
    server = two_arms("--close-after", "3", "--cookie", "--gzip")
    words = ["--users", "4", "--rate", "60", "--requests", "150", "--late-after", "10", "--host", server.url]
    argv = [sys.executable, "-m", "locust", "-f", CANARY, "--headless", *words]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        done = subprocess.run([*argv, "--rows", file], capture_output=True, text=True, timeout=120)
        rows = read_rows(file)
    told = server.end()
    assert not rows.failed.any() and set(rows.bytes) == {1_100}
    assert len(np.unique(rows.connection)) == told["connections"] >= len(rows) / 3
    without = len(np.unique(rows.user))
    assert told["cookies"] == {"is=kept": len(rows) - without}, "all but the first request of each user"
    assert re.search(rf"GET +/ +{len(rows)} +0\(", done.stderr + done.stdout), "Locust counts them, too"
