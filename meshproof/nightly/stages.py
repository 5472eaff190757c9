"""What a night does, one stage after the other, and what its exit code is: pure."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from meshproof.settings import Settings

__all__ = ["USAGE", "Stage", "environment", "exit_code", "plan", "told"]

USAGE = 2


@dataclass(frozen=True)
class Stage:
    """A command. One that does not `decide` has no part in the exit code."""

    name: str
    argv: tuple[str, ...]
    decides: bool = True


def plan(settings: Settings, arguments: Sequence[str], suites: Path, *, stays: bool) -> tuple[Stage, ...]:
    """All suites in one session, then the mutants on the same cluster, then the page once more, with what they showed;
    at the end the cluster is deleted, unless it `stays`. `arguments` are pytest's."""
    python, meshproof = sys.executable, (sys.executable, "-m", "meshproof.cli")
    junit = settings.reports / "junit.xml"
    session = [python, "-m", "pytest", str(suites), "--strictness", "nightly", f"--junitxml={junit}"]
    if not settings.borrowed:
        session.append("--keep-cluster")  # for the mutants
    stages = [
        Stage("suites", (*session, *arguments)),
        Stage("mutants", (*meshproof, "prove", "--mutants", "shipped", "--mutants", "nightly")),
        Stage("report", (*meshproof, "report", "--reports", str(settings.reports)), decides=False),
    ]
    if not stays and not settings.borrowed:
        stages.append(Stage("down", (*meshproof, "down", "--cluster-name", settings.cluster_name), decides=False))
    return tuple(stages)


def environment(outer: Mapping[str, str], **options: str | None) -> dict[str, str]:
    """The options as the stages' environment, so that each of them works on the same cluster."""
    given = {f"MESHPROOF_{name.upper()}": value for name, value in options.items() if value is not None}
    return {**outer, **given}


def exit_code(ended: Sequence[tuple[Stage, int]]) -> int:
    """0 when every stage that decides ended well, 2 when the first one was told something wrong, else 1."""
    if ended and ended[0][1] == USAGE:
        return USAGE
    return int(any(code for stage, code in ended if stage.decides))


def told(ended: Sequence[tuple[Stage, int]], seconds: Mapping[str, float], limit: float) -> list[str]:
    """How each stage ended and how long it took, and how much of the night's time is left."""
    width = max((len(stage.name) for stage, _ in ended), default=0)
    lines = [
        f"  {stage.name:<{width}}  {'ended well' if code == 0 else f'exit code {code}':<12}  "
        f"{_lasting(seconds[stage.name])}"
        for stage, code in ended
    ]
    total = sum(seconds.values())
    over = "" if total <= limit else ": OVER the budget"
    return [*lines, f"time: {_lasting(total)} of {_lasting(limit)}{over}"]


def _lasting(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
