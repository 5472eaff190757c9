from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from served import Served


@pytest.fixture
def two_arms() -> Iterator[Callable[..., Served]]:
    """Starts a server, with the options of two_arms.py."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> Served:
        program = str(Path(__file__).with_name("two_arms.py"))
        process = subprocess.Popen([sys.executable, program, *options], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return Served(process, int(process.stdout.readline()))

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
