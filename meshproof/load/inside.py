"""Load from a pod in the mesh, with the same schedule, rows and verdicts as from outside.

The pod needs Python 3.9 and a sidecar, nothing else: the generator is sent to it. Requests go out in portions, and
after each one the run is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from meshproof.errors import InvalidMeasurement
from meshproof.load.judging import Run
from meshproof.load.rows import Rows
from meshproof.load.view import View
from meshproof.verdict.preconditions import Conditions

__all__ = ["Executes", "run_inside"]

_SCRIPT = Path(__file__).with_name("pod_script.py")
_CONNECTIONS = 8
_USERS_OF_A_PORTION = 10_000


class _Result(Protocol):
    @property
    def stdout(self) -> bytes: ...

    @property
    def stderr(self) -> bytes: ...

    @property
    def code(self) -> int: ...


Executes = Callable[[Sequence[str], float], _Result]
"""Runs a program in the pod: its words, and the seconds that it may take."""


def run_inside(
    execute: Executes, url: str, run: Run, *, portion: int = 600, told: Callable[[View], None] | None = None
) -> tuple[View, Rows]:
    """Run until it is decided or at its cap. `url` is the service's, as the pod calls it; `told` hears of each look.
    The requests' mark is `run.load.user_agent`.

    Raises InvalidMeasurement when the pod cannot run the generator.
    """
    parts: list[Rows] = []
    planned = late = dropped = 0
    cpu, sent = 0.0, 0
    while True:
        number = len(parts)
        wanted = min(portion, max(run.cap - planned, 1))
        rows, counters = _portion(execute, url, run, number, wanted)
        parts.append(rows)
        planned, late = planned + counters["planned"], late + counters["late"]
        dropped, sent, cpu = dropped + counters["dropped"], sent + counters["sent"], max(cpu, counters["cpu"])
        everything = Rows.joined(parts).in_order()
        missing: tuple[str, ...] = () if len(everything) == sent else (f"{sent - len(everything)} requests in the pod",)
        view = run.view(everything, Conditions(planned, late, dropped, cpu), missing)
        if told:
            told(view)
        if view.decided or missing:
            return view, everything


def _portion(execute: Executes, url: str, run: Run, number: int, requests: int) -> tuple[Rows, dict[str, Any]]:
    load = run.load
    told = {
        "url": url,
        "path": load.path,
        "headers": {"User-Agent": load.user_agent, **({"Host": load.target_host} if load.target_host else {})},
        "arm_header": load.arm_header,
        "revision_header": load.revision_header,
        "rate": load.rate,
        "arrivals": load.arrivals.value,
        "requests": requests,
        "seed": None if load.seed is None else load.seed + number,
        "timeout": load.request_timeout,
        "late_after": load.late_after,
        "connections": _CONNECTIONS,
        "max_in_flight": load.max_in_flight,
        "first_user": (number + 1) * _USERS_OF_A_PORTION,
    }
    limit = requests / load.rate + load.request_timeout + 30
    result = execute(["python3", "-c", _SCRIPT.read_text(), json.dumps(told)], limit)
    lines = result.stdout.decode().splitlines()
    if result.code != 0 or not lines:
        seen = result.stderr.decode(errors="replace").strip()[-500:]
        raise InvalidMeasurement("the pod cannot make load", seen=seen or f"exit code {result.code}")
    return Rows.of(json.loads(line) for line in lines[:-1]), dict(json.loads(lines[-1]))
