"""Locust as a program of its own: from where the tests run, through the gateway."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from meshproof.errors import InvalidMeasurement
from meshproof.files import data_root
from meshproof.load.parquet import read_facts, read_rows
from meshproof.load.rows import Rows
from meshproof.load.view import EXIT_CODES
from meshproof.parent import with_parent
from meshproof.programs import run
from meshproof.verdict import Verdict

__all__ = ["Ended", "run_outside"]

_START_AND_END = 60
"""Seconds for Locust to start and to end, on a busy machine."""


@dataclass(frozen=True)
class Ended:
    """How a run ended: its verdict, what it said last, its rows and facts."""

    verdict: Verdict
    reason: str
    said: str
    rows: Rows
    facts: Mapping[str, Any]

    @property
    def run_id(self) -> str:
        """What every request's User-Agent carried: meshproof-load/RUN-ID."""
        return str(self.facts["run"])


def run_outside(
    test: str,
    host: str,
    options: Mapping[str, object],
    *,
    seconds: float,
    rows: Path | None = None,
    told: Callable[[str], None] | None = None,
) -> Ended:
    """Run loadtests/TEST.py headless against `host` with the options, by their names without dashes in front.

    `seconds` is how long its load may take. The rows are kept in the file `rows`, if given. `told` hears each line.

    Raises InvalidMeasurement when the run ends without a verdict, ProgramFailed when it does not end.
    """
    options = {**options, "run-id": str(options.get("run-id") or uuid4().hex[:12])}
    with tempfile.TemporaryDirectory() as folder:
        file = rows or Path(folder) / "rows.parquet"
        argv: list[str | Path] = [
            sys.executable,
            "-m",
            "locust",
            "-f",
            data_root() / "loadtests" / f"{test}.py",
            "--headless",
        ]
        argv += ["--host", host, "--rows", file]
        for name, value in options.items():
            argv += [f"--{name}", str(value)]
        done = run(argv, timeout=seconds + _START_AND_END, on_line=told, check=False, env=with_parent())
        verdicts = {code: verdict for verdict, code in EXIT_CODES.items()}
        facts = read_facts(file) if file.exists() else {}
        # A file of an earlier run may lie there, and Locust itself ends with 1, too, when it cannot begin.
        if done.returncode not in verdicts or facts.get("run") != options["run-id"]:
            seen = (done.stderr or done.stdout).strip()[-800:]
            raise InvalidMeasurement(f"the load test ended with exit code {done.returncode} and no verdict", seen=seen)
        said = (done.stdout.rpartition("\n\n")[2] or done.stdout).replace(str(file), file.name)
        return Ended(verdicts[done.returncode], str(facts.get("reason", "")), said, read_rows(file), facts)
