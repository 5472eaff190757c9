"""The locust files as programs: what they send, count and say."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from made_rows import made
from served import Served

from meshproof.errors import InvalidMeasurement
from meshproof.load.options import CANARY, LOAD
from meshproof.load.outside import run_outside
from meshproof.load.parquet import read_facts, read_rows, write_rows
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


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def two_processes() -> tuple[str, ...]:
    """Apart from whoever else uses Locust's usual port: a worker joins any master that it finds there."""
    port = str(free_port())
    return ("--processes", "2", "--master-port", port, "--master-bind-port", port)


def test_rows_of_all_processes_are_the_requests_that_were_sent(two_arms: Callable[..., Served], tmp_path: Path) -> None:
    """Also of those without an answer, which are not sent again; and the verdict is that of the rows."""
    server = two_arms("--fail", "0.1", "--hang-up")
    port = free_port()
    apart = {"master-port": port, "master-bind-port": port}
    options = {"processes": 2, **apart, "rate": 800, "cap": 400, "weights": "1,99", "late-after": 1}
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
    assert ended.said.rstrip().endswith("rows       rows.parquet"), "no path of this machine goes into a report"


def until_it_counts(load: subprocess.Popen[str]) -> None:
    """Returns when the run has told its progress for the first time."""
    assert load.stdout is not None
    said = []
    for line in load.stdout:
        said.append(line)
        if "e-value" in line:
            return
    raise AssertionError(f"the run ended, with {load.wait(60)}, without any progress: {''.join(said)}")


def still_runs(process: psutil.Process) -> bool:
    """Also not as a zombie, which nobody may collect in a container."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(("sent", "processes"), [(signal.SIGTERM, 1), (signal.SIGINT, 2)])
def test_an_early_end_keeps_the_rows_and_is_inconclusive(
    two_arms: Callable[..., Served], tmp_path: Path, sent: signal.Signals, processes: int
) -> None:
    server = two_arms("--latency", "0.05")
    words = two_processes() if processes == 2 else ()
    load = locust("split", server.url, tmp_path, "--cap", "10000", "--margin", "1", "--late-after", "1", *words)
    until_it_counts(load)
    workers = psutil.Process(load.pid).children(recursive=True)
    assert len(workers) == (2 if words else 0)
    os.killpg(load.pid, sent)
    said, _ = load.communicate(timeout=60)
    assert not [worker for worker in workers if still_runs(worker)]
    assert load.returncode == 3, said + (tmp_path / "errors").read_text()
    assert "INCONCLUSIVE" in said
    assert len(read_rows(tmp_path / "rows.parquet")) == sum(server.end()["requests"].values())


def test_what_has_no_answer_at_the_end_is_a_row_too(two_arms: Callable[..., Served], tmp_path: Path) -> None:
    server = two_arms("--trickle", "0.05")
    load = locust("split", server.url, tmp_path, "--request-timeout", "60", "--drain", "0.2", "--late-after", "1")
    for _ in range(3):
        until_it_counts(load)
    load.terminate()
    said, _ = load.communicate(timeout=60)
    rows, told = read_rows(tmp_path / "rows.parquet"), server.end()
    unfinished = rows.error == "no answer before the end of the run"
    assert np.count_nonzero(unfinished) == told["requests"]["v2"] > 0, said
    assert len(rows) == sum(told["requests"].values())


def test_bad_options_end_with_words_and_code_2(tmp_path: Path) -> None:
    wrong = [
        (("canary", "http://127.0.0.1:9", "--margins", "p50=0.5"), "a margin is below 1"),
        (("split", "127.0.0.1:9"), "no URL of a web server"),
    ]
    for (file, url, *words), says in wrong:
        load = locust(file, url, tmp_path, *words)
        load.communicate(timeout=60)
        assert load.returncode == 2
        assert says in (tmp_path / "errors").read_text()
        assert not (tmp_path / "rows.parquet").exists()


def test_where_nobody_answers_the_run_ends_at_once_and_says_why(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        load = locust("split", f"http://127.0.0.1:{taken.getsockname()[1]}", tmp_path)
        said, _ = load.communicate(timeout=60)
    assert load.returncode == 4, said + (tmp_path / "errors").read_text()
    assert "INVALID: " in said and "too many unattributed requests: " in said
    assert "got no answer: ConnectionRefusedError" in said
    assert 60 < len(read_rows(tmp_path / "rows.parquet")) < 6_000


def test_answers_without_the_arm_header_are_told(two_arms: Callable[..., Served], tmp_path: Path) -> None:
    server = two_arms("--silent", "1")
    ended = run_outside("canary", server.url, {"run-id": "no-arms"}, seconds=90, rows=tmp_path / "rows.parquet")
    assert ended.verdict is Verdict.INVALID
    assert "got status 200 without x-meshproof-arm" in ended.said
    assert (ended.run_id, len(ended.rows)) == ("no-arms", sum(server.end()["requests"].values()))


def test_rows_of_an_earlier_run_are_not_taken_for_this_ones(tmp_path: Path) -> None:
    """Locust ends with 1, which is VIOLATE, when no worker comes."""
    rows = tmp_path / "rows.parquet"
    write_rows(made(100), rows, {"run": "yesterday", "reason": "all was well"})
    options = {"master-bind-port": free_port(), "expect-workers": 1, "expect-workers-max-wait": 1, "master": True}
    with pytest.raises(InvalidMeasurement, match="exit code 1 and no verdict"):
        run_outside("split", "http://127.0.0.1:9", options, seconds=30, rows=rows)


def test_a_master_has_exactly_the_rows_of_its_workers(two_arms: Callable[..., Served], tmp_path: Path) -> None:
    """Programs of their own, as on several machines; and the verdict is that of one process."""
    server, port = two_arms(), str(free_port())
    folders = [tmp_path / name for name in ("master", "first", "second")]
    for folder in folders:
        folder.mkdir()
    at, options = ("--master-port", port), ("--margin", "10", "--late-after", "30", "--rate", "400")
    workers = [locust("split", server.url, folder, "--worker", *at) for folder in folders[1:]]
    bound = ("--master-bind-host", "127.0.0.1", "--master-bind-port", port)
    master = locust("split", server.url, folders[0], "--master", "--expect-workers", "2", *bound, *options)
    said, _ = master.communicate(timeout=120)
    assert master.returncode == 0, said + (folders[0] / "errors").read_text()
    for worker in workers:
        worker.communicate(timeout=30)
    rows, facts = read_rows(folders[0] / "rows.parquet"), read_facts(folders[0] / "rows.parquet")
    told = server.end()
    assert [one["rows"] for one in facts["generators"].values() if one["rows"]] != [len(rows)], "one made all load"
    assert sum(one["rows"] for one in facts["generators"].values()) == len(rows) == sum(told["requests"].values())
    assert {agent.split()[0] for agent in told["agents"]} == {f"meshproof-load/{facts['run']}"}
    alone = two_arms()
    assert run_outside("split", alone.url, {"margin": 10, "late-after": 30}, seconds=60).verdict is Verdict.CONFORM


def test_a_killed_worker_makes_the_run_invalid(two_arms: Callable[..., Served], tmp_path: Path) -> None:
    """What it had not told yet is lost, so that nobody knows how those requests were split."""
    server = two_arms()
    words = (*two_processes(), "--cap", "10000", "--margin", "1", "--late-after", "1")
    load = locust("split", server.url, tmp_path, *words)
    until_it_counts(load)
    victim = psutil.Process(load.pid).children()[0]
    victim.kill()
    said, _ = load.communicate(timeout=120)
    assert load.returncode == 4, said + (tmp_path / "errors").read_text()
    assert "requests not accounted for: the last rows of" in said
    assert 0 < len(read_rows(tmp_path / "rows.parquet")) <= sum(server.end()["requests"].values())


def test_the_options_are_told() -> None:
    """Locust's own --help does not load the file."""
    told = subprocess.run([sys.executable, FILES / "canary.py"], capture_output=True, text=True, check=True).stdout
    assert all(f"--{option.name} " in told for option in (*LOAD, *CANARY)) and "Exit codes: 0 CONFORM" in told
