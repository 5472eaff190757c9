"""A run's folder, read back: results, timeline, what mutants showed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from meshproof.errors import UsageError
from meshproof.report.profiles import Profile, profile_of
from meshproof.report.results import CheckResult, Ending, LeftOut, Results
from meshproof.secrecy import shown
from meshproof.verdict import Verdict

__all__ = ["PROOF", "Run", "find_run", "property_name", "read_run"]

PROOF = "prove.json"
"""What `meshproof prove` leaves in its folder: rows of mutants, and the tests that none of them made fail."""


_WRITTEN = {"mtls": "mTLS"}


@dataclass(frozen=True)
class Run:
    """One run as its folder tells it. `timeline` is empty where none was written; `proof` is what the mutants did to
    the tests, in this run or else in the last one beside it that let them loose, and `proof_of` is that run's name."""

    folder: Path
    results: Results
    timeline: Mapping[str, Any] = field(default_factory=dict)
    proof: Mapping[str, Any] = field(default_factory=dict)
    proof_of: str = ""
    profiles: Mapping[str, Profile] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The session's id, which is its folder's name."""
        return str(self.results.facts.get("session") or self.folder.name)

    @cached_property
    def began(self) -> datetime | None:
        """When the run began: its timeline's start, or what its name says (UTC)."""
        try:
            return datetime.fromisoformat(str(self.timeline["started_at"]))
        except (KeyError, ValueError):
            with suppress(ValueError):
                return datetime.strptime(self.name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
            return None

    @property
    def versions(self) -> dict[str, str]:
        """What ran, by name."""
        found = self.results.facts.get("versions")
        return {str(name): str(value) for name, value in found.items()} if isinstance(found, Mapping) else {}

    def profile(self, check: CheckResult) -> Profile:
        """The profile that a check belongs to."""
        return self.profiles.get(check.check) or profile_of(check.check)


def property_name(check: str) -> str:
    """The property that a check is about: its file's name in words."""
    name = Path(check.partition("::")[0]).stem.removeprefix("test_").replace("_", " ")
    return _WRITTEN.get(name, name) or "checks"


def find_run(reports: Path, name: str | None = None) -> Path:
    """The folder of a run: a path, a name inside the folder of reports, or the latest.

    Raises UsageError, which lists the runs that there are.
    """
    there = sorted(path.parent.name for path in reports.glob("*/results.json") if not path.parent.is_symlink())
    # The last thing that `latest` leads to may have been a proof with mutants only.
    wanted = (
        [reports / "latest", *(reports / last for last in there[-1:])] if name is None else [reports / name, Path(name)]
    )
    for folder in wanted:
        with suppress(OSError, ValueError):  # a name that no folder can have
            if (folder / "results.json").is_file():
                return folder.resolve()
    raise UsageError(
        f"there is no run {shown(name)[1:-1]}" if name else f"there is no run in {reports}",
        seen=", ".join(there[-8:]) or f"no results.json below {reports}",
        remedy="name one of these, or make one: tox -e e2e",
    )


def read_run(folder: Path) -> Run:
    """Read a run's folder; only results.json has to be there.

    Raises UsageError when it cannot be read.
    """
    path = folder / "results.json"
    try:
        content = json.loads(path.read_text())
        checks = [_check(entry) for entry in content["checks"]]
        facts = dict(content.get("facts") or {})
        given = {entry["check"]: entry.get("profile") for entry in content["checks"]}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        seen = f"{type(error).__name__}: {error}"[:300]
        remedy = "name another run; this one's file is left as it is"
        raise UsageError(f"{path} cannot be read", seen=seen, remedy=remedy) from error
    timeline = _timeline(_optional(folder / "timeline.json"))
    proved = _proved(folder)
    return Run(
        folder=folder,
        results=Results(facts=facts, checks=checks),
        timeline=timeline,
        proof=_optional(proved) if proved else {},
        proof_of=proved.parent.name if proved else "",
        profiles={check: Profile(name) for check, name in given.items() if name in list(Profile)},
    )


def _check(entry: Mapping[str, Any]) -> CheckResult:
    evidence = entry.get("evidence")
    return CheckResult(
        check=str(entry["check"]),
        promise=str(entry.get("promise") or entry["check"]),
        verdict=_ending(str(entry["verdict"])),
        reason=str(entry.get("reason") or ""),
        seconds=float(entry.get("seconds") or 0.0),
        evidence=tuple(evidence) if isinstance(evidence, list) else (),
        diagnostics=entry.get("diagnostics"),
    )


def _timeline(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is whole of a timeline: one that was cut off or changed is no reason to show nothing."""
    steps, longest = (found.get(name) for name in ("spans", "longest_path"))
    spans = [
        {**span, **{field: str(span.get(field) or "") for field in ("name", "group", "state", "note")}}
        for span in (steps if isinstance(steps, list) else [])
        if isinstance(span, Mapping) and all(_is_time(span.get(field)) for field in ("began", "ended"))
    ]
    if not spans:
        return {}
    seconds = found.get("seconds")
    return {
        "started_at": str(found.get("started_at")),
        "seconds": seconds if _is_time(seconds) else None,
        "longest_path": [name for name in (longest if isinstance(longest, list) else []) if isinstance(name, str)],
        "spans": spans,
    }


def _is_time(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9)


def _ending(word: str) -> Ending:
    return LeftOut(word) if word in list(LeftOut) else Verdict(word)


def _proved(folder: Path) -> Path | None:
    beside = sorted(path for path in folder.parent.glob(f"*/{PROOF}") if not path.parent.is_symlink())
    return folder / PROOF if (folder / PROOF).is_file() else beside[-1] if beside else None


def _optional(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}
