"""All results of a run, in one JSON file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from meshproof.report.evidence import as_plain
from meshproof.secrecy import hidden_in
from meshproof.verdict import Verdict

__all__ = ["ENDINGS", "UNHARMED", "CheckResult", "Ending", "LeftOut", "Results"]


class LeftOut(StrEnum):
    """The end of a check that was not made, with the reason."""

    NOT_PROVEN = "NOT PROVEN"


Ending = Verdict | LeftOut
ENDINGS: tuple[Ending, ...] = (*Verdict, *LeftOut)
UNHARMED: tuple[Ending, ...] = (Verdict.CONFORM, LeftOut.NOT_PROVEN)
"""Of checks that found nothing broken: they conform, or were left out."""


@dataclass(frozen=True)
class CheckResult:
    """One check: the promise it is about, its verdict, why, and what it saw. `seconds` is the check's own time."""

    check: str
    promise: str
    verdict: Ending
    reason: str
    seconds: float
    evidence: tuple[Any, ...] = ()
    diagnostics: str | None = None


@dataclass
class Results:
    """A run's checks, in the order in which they ended, and the facts that they rest on."""

    facts: dict[str, Any] = field(default_factory=dict)
    checks: list[CheckResult] = field(default_factory=list)

    @property
    def summary(self) -> dict[Ending, int]:
        """How many checks ended with each verdict."""
        return {ending: sum(check.verdict is ending for check in self.checks) for ending in ENDINGS}

    @property
    def overall(self) -> str:
        """`success`, `failure`, or `partial` when something was left unproven."""
        counts = self.summary
        if counts[Verdict.VIOLATE] or counts[Verdict.INVALID] or not self.checks:
            return "failure"
        return "partial" if counts[LeftOut.NOT_PROVEN] or counts[Verdict.INCONCLUSIVE] else "success"

    def write(self, path: Path) -> None:
        """Write everything as JSON, known secrets left out."""
        content = {
            "overall": self.overall,
            "summary": {verdict.value: count for verdict, count in self.summary.items()},
            "facts": as_plain(self.facts),
            "checks": [as_plain(check) for check in self.checks],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(hidden_in(content), indent=1, ensure_ascii=False))
