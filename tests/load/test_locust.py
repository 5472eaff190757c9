"""The locust files as programs: what they send, count and say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from served import Served

from meshproof.load.outside import run_outside
from meshproof.load.parquet import read_rows
from meshproof.load.rows import request_mark
from meshproof.verdict import Verdict

FILES = Path(__file__).parents[2] / "loadtests"


def locust(file: str, url: str, folder: Path, *words: str) -> subprocess.Popen[str]:
    """In a process group of its own, so that a signal meets all its processes as Ctrl-C does."""
    argv = [sys.executable, "-m", "locust", "-f", str(FILES / f"{file}.py"), "--headless", "--host", url]
    argv += ["--rows", str(folder / "rows.parquet"), *words]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with (folder / "errors").open("w") as errors:
        return subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True, env=environment, cwd=folder
        )


def test_rows_of_all_processes_are_the_requests_that_were_sent(two_arms: Callable[..., Served], tmp_path: Path) -> None:
    """Also of those without an answer, which are not sent again; and the verdict is that of the rows."""
    server = two_arms("--fail", "0.1", "--hang-up")
    options = {"processes": 2, "rate": 800, "cap": 400, "weights": "1,99", "late-after": 1}
    ended = run_outside("split", server.url, options, seconds=30, rows=tmp_path / "rows.parquet")
    told, rows = server.end(), ended.rows
    marks = map(request_mark, map(int, rows.user), map(int, rows.start))
    assert told["agents"] == {f"meshproof-load/{ended.run_id} {mark}": 1 for mark in marks}
    assert len(rows) == sum(told["requests"].values()) == len(read_rows(tmp_path / "rows.parquet"))
    assert int((rows.status == 0).sum()) == told["failures"]["v2"] > 0
    assert int((rows.version == "v1").sum()) == told["requests"]["v1"]
    assert len(np.unique(rows.connection)) == told["connections"]
    assert np.all(np.diff(rows.start) >= 0)
    assert len(ended.facts["generators"]) == 2
    assert ended.verdict is Verdict.INVALID  # more than one in a hundred names no arm
    assert "too many unattributed requests" in ended.reason and ended.reason in ended.said


def test_an_early_end_keeps_the_rows_and_is_inconclusive(two_arms: Callable[..., Served], tmp_path: Path) -> None:
    server = two_arms("--latency", "0.05")
    load = locust("split", server.url, tmp_path, "--cap", "100000", "--margin", "0.5", "--late-after", "1")
    assert load.stdout is not None
    for line in load.stdout:
        if "e-value" in line:
            break
    os.killpg(load.pid, signal.SIGTERM)
    said, _ = load.communicate(timeout=30)
    assert load.returncode == 3, said + (tmp_path / "errors").read_text()
    assert "INCONCLUSIVE" in said
    assert len(read_rows(tmp_path / "rows.parquet")) == sum(server.end()["requests"].values())


def test_bad_options_end_with_words_and_code_2(tmp_path: Path) -> None:
    load = locust("canary", "http://127.0.0.1:9", tmp_path, "--margins", "p50=0.5")
    load.communicate(timeout=30)
    assert load.returncode == 2
    assert "a margin is below 1" in (tmp_path / "errors").read_text()
    assert not (tmp_path / "rows.parquet").exists()
