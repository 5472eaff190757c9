"""A target that stops for a moment, again and again: who counts from the intended start sees it, who waits for answers
does not."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from served import Served

from meshproof.load.outside import run_outside

STALL, EVERY = 0.4, 4.0
"""Seconds. As of 1 s each minute, a small part of the time; large enough to be seen on a busy machine."""


def test_a_stall_is_in_the_p99_from_the_intended_start_and_not_in_that_of_a_closed_loop(
    two_arms: Callable[..., Served],
) -> None:
    """A tenth of what was due waited for the end of a stall, most of it for long. Three users who wait for answers
    send three requests in each stall instead of 72, of 720 in all."""
    server = two_arms("--stall-at", "1", "--stall", str(STALL), "--stall-every", str(EVERY))
    options = {"rate": 180, "requests": 1_500, "late-after": 10}
    ended = run_outside("canary", server.url, options, seconds=60)
    ours = float(np.quantile(ended.rows.response, 0.99))
    file = Path(__file__).with_name("closed_loop.py")
    argv = [sys.executable, "-m", "locust", "-f", file, "--headless", "--host", server.url, "-u", "3", "-r", "3"]
    told = subprocess.run([*argv, "-t", "9s"], capture_output=True, text=True, timeout=120).stdout
    closed = np.array(re.findall(r"took ([0-9.]+)", told), dtype=np.float64) / 1e3
    assert len(closed) > 500 and float(closed.max()) > STALL / 2, "the closed loop met no stall"
    theirs = float(np.quantile(closed, 0.99))
    assert theirs < STALL / 2 < ours < 2 * STALL, (theirs, ours)
