"""A load run ends with whoever began it, also when that one is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

import psutil
from served import Served

from meshproof.waiting import eventually

BEGINS = """
import sys
from meshproof.load.outside import run_outside
told = lambda line: print(line, flush=True)
run_outside("canary", sys.argv[1], {"rate": 20, "requests": 1_000_000}, seconds=3600, told=told)
"""


def test_the_load_ends_when_whoever_began_it_is_killed(two_arms: Callable[..., Served]) -> None:
    begun = subprocess.Popen([sys.executable, "-c", BEGINS, two_arms().url], stdout=subprocess.PIPE, text=True)
    assert begun.stdout is not None
    try:
        next(line for line in begun.stdout if "requests" in line and "1,000,000" in line)
        (load,) = psutil.Process(begun.pid).children()
        begun.send_signal(signal.SIGKILL)
        begun.wait()
        eventually(lambda: not load.is_running() or load.status() == psutil.STATUS_ZOMBIE, timeout=60, what="it ends")
    finally:
        begun.kill()
        begun.stdout.close()
