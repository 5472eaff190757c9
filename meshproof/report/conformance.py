"""report.json: what a run proves, for programs, in the manner of Gateway API's conformance reports.

Its JSON Schema is published as schema/report-v1.json, and is made from the models here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

import meshproof
from meshproof.report.profiles import Profile
from meshproof.report.results import CheckResult, LeftOut, Results
from meshproof.report.runs import Run, property_name
from meshproof.verdict import Verdict

__all__ = ["SCHEMA", "ConformanceReport", "conformance", "schema", "write_conformance"]

SCHEMA = Path(__file__).parent / "schema" / "report-v1.json"


class Result(StrEnum):
    """`partial`: nothing failed, and something was left unproven."""

    SUCCESS = "success"
    PARTIAL = "partial"
    FAILURE = "failure"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Check(_Model):
    """A check that did not conform, and why."""

    check: str = Field(description="pytest's node id")
    promise: str
    verdict: Literal["VIOLATE", "INVALID", "INCONCLUSIVE", "NOT PROVEN"]
    reason: str


class Statistics(_Model):
    """Numbers of checks. Skipped are those that were left out or could not be decided."""

    passed: int = Field(ge=0)
    failed: int = Field(ge=0)
    skipped: int = Field(ge=0)


class ProfileReport(_Model):
    """What one profile's checks show."""

    name: Profile
    result: Result
    statistics: Statistics
    properties: list[str] = Field(description="the properties that the checks are about")
    succeeded_checks: list[str]
    failed_checks: list[Check]
    unproven_checks: list[Check]
    summary: str


class Implementation(_Model):
    """What was tested. `digests` are of images, by reference."""

    project: Literal["istio"] = "istio"
    version: str
    versions: dict[str, str]
    digests: dict[str, str]
    images: str = Field(description="where images came from: registry, source, as found")
    cluster: str
    bed: str = Field(description="created, kept or borrowed")


class ConformanceReport(_Model):
    """One run's report. Profiles without any check in the run are not listed."""

    api_version: Literal["meshproof.dev/v1"] = "meshproof.dev/v1"
    kind: Literal["ConformanceReport"] = "ConformanceReport"
    run: str
    date: str = Field(description="when the run began, ISO 8601, or empty")
    meshproof_version: str
    result: Result
    implementation: Implementation
    statistics: Statistics
    profiles: list[ProfileReport]
    command: str = Field(description="how to make such a run again")


def conformance(run: Run, command: str) -> ConformanceReport:
    """The report on a run."""
    facts, checks = run.results.facts, run.results.checks
    profiles = [(name, [check for check in checks if run.profile(check) is name]) for name in Profile]
    digests = facts.get("digests") or {}
    return ConformanceReport(
        run=run.name,
        date=run.began.isoformat() if run.began else "",
        meshproof_version=str(facts.get("meshproof") or meshproof.__version__),
        result=Result(run.results.overall),
        implementation=Implementation(
            version=run.versions.get("istio", "unknown"),
            versions=run.versions,
            digests={str(name): str(value) for name, value in digests.items()} if isinstance(digests, dict) else {},
            images=str(facts.get("images") or "unknown"),
            cluster=str(facts.get("cluster") or "unknown"),
            bed=str(facts.get("bed") or "unknown"),
        ),
        statistics=_statistics(checks),
        profiles=[_profile(name, members) for name, members in profiles if members],
        command=command,
    )


def write_conformance(report: ConformanceReport, path: Path) -> None:
    """Write it as JSON."""
    path.write_text(json.dumps(report.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n")


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of report.json."""
    made = ConformanceReport.model_json_schema(mode="serialization", by_alias=True)
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:meshproof:report:v1"}
    return {**about, **made}


def _profile(name: Profile, checks: Sequence[CheckResult]) -> ProfileReport:
    statistics = _statistics(checks)
    return ProfileReport(
        name=name,
        result=Result(Results(checks=list(checks)).overall),
        statistics=statistics,
        properties=list(dict.fromkeys(property_name(check.check) for check in checks)),
        succeeded_checks=[check.check for check in checks if check.verdict is Verdict.CONFORM],
        failed_checks=[_told(check) for check in checks if check.verdict in _FAILED],
        unproven_checks=[_told(check) for check in checks if check.verdict in _UNPROVEN],
        summary=f"{name.value}: {statistics.passed} of {len(checks)} checks conform, {statistics.failed} failed, "
        f"{statistics.skipped} not proven",
    )


def _statistics(checks: Sequence[CheckResult]) -> Statistics:
    return Statistics(
        passed=sum(check.verdict is Verdict.CONFORM for check in checks),
        failed=sum(check.verdict in _FAILED for check in checks),
        skipped=sum(check.verdict in _UNPROVEN for check in checks),
    )


def _told(check: CheckResult) -> Check:
    word: Any = check.verdict.value
    return Check(check=check.check, promise=check.promise, verdict=word, reason=check.reason)


_FAILED = (Verdict.VIOLATE, Verdict.INVALID)
_UNPROVEN = (Verdict.INCONCLUSIVE, LeftOut.NOT_PROVEN)
