"""How much load one process makes, side by side with plain Locust and with wrk; how punctual, and in how much memory.

    python benchmarks/load.py                  all of it, in about three minutes
    python benchmarks/load.py --only memory    one part: throughput, punctuality or memory

The target is nginx with one worker on the loopback interface, which answers as two arms. Rounds alternate between plain
FastHttpUser, our user and wrk, each with the same number of connections, so that whatever else the machine does meets
all three. Plain users ask again as soon as they have an answer. Ours keeps its schedule, with a row for every request
and a verdict while it runs: it is told to make a tenth more than the plain users did in the round before it, so that
what it makes is what it can. Exits with 1 when a promised figure is missed.

Needs nginx, and for the comparison wrk: apt-get install --no-install-recommends nginx-light wrk
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from meshproof.load.judging import CanaryRun
from meshproof.load.parquet import read_rows, write_rows
from meshproof.load.rows import Row, Rows
from meshproof.load.settled import Settled
from meshproof.verdict.preconditions import Conditions

PACKAGES = "apt-get install --no-install-recommends nginx-light wrk"
OURS_AT_LEAST = 0.85
LATE_AT_MOST = 2.0
"""Milliseconds, at p99."""
MEMORY_AT_MOST = 300
"""MB, for a million rows."""
TARGET_AT_LEAST = 2.0
"""Times what the clients in Python make: a target that is not faster than they are is what would be measured."""
MORE = 1.1

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  split_clients $request_id $arm {{ 30% v2; * v1; }}
  server {{ listen 127.0.0.1:{port}; location / {{ add_header x-meshproof-arm $arm; return 200 "$arm\\n"; }} }}
}}
"""
PLAIN = """
import time
from locust import FastHttpUser, events, task

ended = []

class Client(FastHttpUser):
    @task
    def ask(self):
        self.client.get("/")
        ended.append(time.perf_counter())

@events.quitting.add_listener
def tell(**_):
    print("plain", (len(ended) - 1) / (ended[-1] - ended[0]), flush=True)
"""


@contextlib.contextmanager
def target(folder: Path) -> Iterator[str]:
    """The URL of an nginx, as long as the block lasts."""
    # Debian keeps it where only root looks.
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not program:
        raise SystemExit(f"there is no nginx to send requests to: {PACKAGES}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    server = subprocess.Popen([program, "-p", folder, "-e", folder / "errors", "-c", folder / "nginx.conf"])
    try:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"nginx does not answer: {(folder / 'errors').read_text()[-400:]}")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def plain(url: str, folder: Path, connections: int, seconds: float) -> float:
    """Requests a second of FastHttpUser as it is."""
    file = folder / "plain.py"
    file.write_text(PLAIN)
    told = _locust(file, url, "-u", connections, "-r", connections, "-t", f"{seconds:g}s", "--only-summary")
    return float(told.rpartition("plain ")[2].split()[0])


def ours(url: str, folder: Path, connections: int, rate: float, seconds: float) -> Rows:
    """The rows of a run at that rate."""
    file = folder / "rows.parquet"
    loadtest = Path(__file__).parents[1] / "loadtests" / "canary.py"
    words = ["--arrivals", "constant", "--max-in-flight", connections, "-u", connections, "--late-after", 10]
    _locust(loadtest, url, "--rate", rate, "--requests", round(rate * seconds), "--rows", file, *words)
    return read_rows(file)


def per_second(rows: Rows) -> float:
    """Of the answered requests."""
    good = rows.where(~rows.failed)
    return (len(good) - 1) / float(good.end.max() - good.end.min()) * 1e6


def wrk(url: str, connections: int, seconds: float) -> float | None:
    """Requests a second of wrk with one thread; None where it is not installed."""
    if not shutil.which("wrk"):
        return None
    argv = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds:.0f}s", url]
    told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s+([0-9.]+)", told)
    assert found, told
    return float(found[1])


def throughput(url: str, folder: Path, given: argparse.Namespace) -> bool:
    """Alternating rounds; the ratio to plain users is promised."""
    made: dict[str, list[float]] = {"plain FastHttpUser": [], "ours, with rows": [], "wrk": []}
    for _ in range(given.rounds):
        made["plain FastHttpUser"].append(plain(url, folder, given.connections, given.seconds))
        rate = MORE * made["plain FastHttpUser"][-1]
        made["ours, with rows"].append(per_second(ours(url, folder, given.connections, rate, given.seconds)))
        if (other := wrk(url, given.connections, given.seconds)) is not None:
            made["wrk"].append(other)
    base = made["plain FastHttpUser"]
    print(f"throughput, {given.connections} connections (requests a second, {given.rounds} rounds of each)")
    for name, figures in made.items():
        if not figures:
            print(f"  {name:<20} not installed: {PACKAGES}")
            continue
        ratios = sorted(one / other for one, other in zip(figures, base, strict=True))
        spread = f"{statistics.median(ratios):.2f}, between {ratios[0]:.2f} and {ratios[-1]:.2f}"
        print(f"  {name:<20}{statistics.median(figures):>10,.0f}   ratio to plain {spread}")
    kept = statistics.median(a / b for a, b in zip(made["ours, with rows"], base, strict=True)) >= OURS_AT_LEAST
    print(f"  promised: ours at least {OURS_AT_LEAST:.0%} of plain: {_said(kept)}")
    if made["wrk"] and statistics.median(made["wrk"]) < TARGET_AT_LEAST * max(statistics.median(base), 1):
        print("  the target is not faster than the clients in Python: these ratios say nothing about them")
        return False
    return kept


def punctuality(url: str, folder: Path, given: argparse.Namespace) -> bool:
    """How late starts are at 300 requests a second."""
    found = []
    for _ in range(given.rounds):
        rows = ours(url, folder, given.connections, 300, given.seconds)
        found.append([float(value) for value in np.quantile((rows.start - rows.intended) / 1e3, (0.5, 0.99, 0.999))])
    p50, p99, p999 = (statistics.median(values) for values in zip(*found, strict=True))
    worst = max(values[1] for values in found)
    print(f"start after its intended time at 300 a second ({given.rounds} rounds)")
    print(f"  p50 {p50:.2f} ms, p99 {p99:.2f} ms, p99.9 {p999:.2f} ms; p99 of the worst round {worst:.2f} ms")
    kept = p99 < LATE_AT_MOST
    print(f"  promised: p99 below {LATE_AT_MOST:g} ms: {_said(kept)}")
    return kept


def memory(_url: str, folder: Path, _given: argparse.Namespace) -> bool:
    """In a process of its own, whose peak is that of the rows alone."""
    told = subprocess.run(
        [sys.executable, __file__, "--rows-in", folder], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    before, kept_rows, peak, seconds = map(float, told.split())
    print("a million rows, kept, judged and written")
    print(
        f"  {kept_rows - before:.0f} MB while they come in, {peak - before:.0f} MB at the peak ({seconds:.0f} s),",
        end=" ",
    )
    print(f"beside {before:.0f} MB of an empty process")
    kept = peak - before < MEMORY_AT_MOST
    print(f"  promised: below {MEMORY_AT_MOST} MB: {_said(kept)}")
    return kept


def million(folder: Path) -> None:
    """What a coordinator does with a million rows, which come in portions as generators tell them."""
    run = CanaryRun({"requests": 1_000_000})
    write_rows(Rows.of([]), folder / "none.parquet")
    before, began = _peak_megabytes(), time.monotonic()
    random, settled, parts = np.random.default_rng(1), Settled(), list[Rows]()
    settled.expect("local")
    for first in range(0, 1_000_000, 1_000):
        portion = []
        for number, canary in enumerate(random.random(1_000) < 0.3, first):
            # As from a socket: every text is one of its own.
            version = b"v2" if canary else b"v1"
            at = 1_700_000_000_000_000 + 400 * number
            portion.append(Row(at, at + 90, at + 2_000, 200, version.decode(), number % 8, number % 8, 3))
        settled.add("local", Rows.of(portion), portion[-1].start)
        if first % 10_000 == 0:
            parts = [Rows.joined([*parts, settled.take()])]
    parts = [Rows.joined([*parts, settled.take(everything=True)]).in_order()]
    kept = _peak_megabytes()
    run.view(parts[0], Conditions(1_000_000))
    write_rows(parts[0], folder / "million.parquet")
    print(before, kept, _peak_megabytes(), time.monotonic() - began)


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _locust(file: Path, url: str, *words: object) -> str:
    """What it told; its exit code is a verdict, and not asked for."""
    argv = [sys.executable, "-m", "locust", "-f", file, "--headless", "--host", url, *words]
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True)
    if done.returncode not in (0, 1, 3, 4):
        raise SystemExit(f"Locust ended with {done.returncode}: {done.stderr[-800:]}")
    return done.stdout


def _said(kept: bool) -> str:
    return "kept" if kept else "MISSED"


PARTS: dict[str, Callable[[str, Path, argparse.Namespace], bool]] = {
    "throughput": throughput,
    "punctuality": punctuality,
    "memory": memory,
}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=6, help="of each round")
    options.add_argument("--connections", type=int, default=8)
    options.add_argument("--only", choices=PARTS, help="one part")
    options.add_argument("--rows-in", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.rows_in:
        million(given.rows_in)
        return 0
    with tempfile.TemporaryDirectory(prefix="load-benchmark-") as name, contextlib.ExitStack() as served:
        folder = Path(name)
        chosen = [given.only] if given.only else list(PARTS)
        url = "" if chosen == ["memory"] else served.enter_context(target(folder))
        kept = [PARTS[part](url, folder, given) for part in chosen]
        return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
