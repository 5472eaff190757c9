"""What the page says, before it is HTML: the verdict and why, properties, promises, evidence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from meshproof.report.page.kinds import Item, is_load_balancer, life_of, render
from meshproof.report.page.markup import joined, tag
from meshproof.report.page.outcomes import Asked, is_attempt, outcome_matrix
from meshproof.report.page.tables import matrix, stages
from meshproof.report.profiles import Profile
from meshproof.report.reproduce import check_command
from meshproof.report.results import CheckResult, Ending, LeftOut
from meshproof.report.runs import Run, property_name
from meshproof.verdict import Verdict

__all__ = ["PromiseRow", "Property", "Shown", "Variant", "Why", "headline", "properties", "slug", "tone_of", "why"]

_WORST_FIRST: tuple[Ending, ...] = (
    Verdict.VIOLATE,
    Verdict.INVALID,
    Verdict.INCONCLUSIVE,
    LeftOut.NOT_PROVEN,
    Verdict.CONFORM,
)
_TONES: dict[Ending, str] = {
    Verdict.CONFORM: "good",
    Verdict.VIOLATE: "bad",
    Verdict.INVALID: "bad",
    Verdict.INCONCLUSIVE: "warn",
    LeftOut.NOT_PROVEN: "warn",
}


@dataclass(frozen=True)
class Shown:
    """A named piece of evidence, drawn."""

    name: str
    markup: Markup
    kind: str = ""


@dataclass(frozen=True)
class Variant:
    """One check of a promise. `label` is its parameter, empty where there is none."""

    check: str
    label: str
    verdict: Ending
    reason: str
    seconds: float
    evidence: tuple[Shown, ...]
    diagnostics: str | None


@dataclass(frozen=True)
class PromiseRow:
    """A promise with all checks of it; the verdict is the worst of theirs."""

    key: str
    promise: str
    test: str
    profile: Profile
    verdict: Ending
    variants: tuple[Variant, ...]
    command: str

    @property
    def seconds(self) -> float:
        """The time of all its checks."""
        return sum(variant.seconds for variant in self.variants)


@dataclass(frozen=True)
class Property:
    """A property with its promises; `panels` are drawn from the evidence of all of them together."""

    key: str
    name: str
    verdict: Ending
    conform: int
    checks: int
    seconds: float
    rows: tuple[PromiseRow, ...]
    panels: tuple[Shown, ...]


@dataclass(frozen=True)
class Why:
    """A check that does not conform, for the top of the page."""

    key: str
    verdict: Ending
    promise: str
    label: str
    reason: str


def tone_of(verdict: Ending) -> str:
    """The colour's name for a verdict."""
    return _TONES[verdict]


def slug(text: str) -> str:
    """A text as an id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def headline(run: Run) -> tuple[str, str, str]:
    """One word for the whole run, its tone, and the sentence after it."""
    checks, counts = run.results.checks, run.results.summary
    conform = counts[Verdict.CONFORM]
    rest = [
        (counts[Verdict.VIOLATE], "violated"),
        (counts[Verdict.INVALID], "could not be measured"),
        (counts[Verdict.INCONCLUSIVE], "without enough data"),
        (counts[LeftOut.NOT_PROVEN], "left out"),
    ]
    told = "".join(f", {count} {words}" for count, words in rest if count)
    sentence = f"{conform} of {len(checks)} checks conform{told}." if checks else "Nothing was checked."
    if counts[Verdict.VIOLATE]:
        return "Violated", "bad", sentence
    if counts[Verdict.INVALID] or not checks:
        return "Not proven", "bad", sentence
    if run.results.overall == "partial":
        return "Partly proven", "warn", sentence
    return "Proven", "good", sentence


def why(found: Sequence[Property]) -> list[Why]:
    """Every check that does not conform, the worst first."""
    listed = [
        Why(row.key, variant.verdict, row.promise, variant.label, variant.reason)
        for group in found
        for row in group.rows
        for variant in row.variants
        if variant.verdict is not Verdict.CONFORM
    ]
    return sorted(listed, key=lambda one: _WORST_FIRST.index(one.verdict))


def properties(run: Run) -> list[Property]:
    """All properties, in the order in which they were checked."""
    grouped: dict[str, list[CheckResult]] = {}
    for check in run.results.checks:
        grouped.setdefault(property_name(check.check), []).append(check)
    return [_property(run, name, checks) for name, checks in grouped.items()]


def _property(run: Run, name: str, checks: Sequence[CheckResult]) -> Property:
    tests: dict[str, list[CheckResult]] = {}
    for check in checks:
        tests.setdefault(check.check.partition("[")[0], []).append(check)
    return Property(
        key=f"property-{slug(name)}",
        name=f"{name[:1].upper()}{name[1:]}" if name.islower() else name,
        verdict=_worst(checks),
        conform=sum(check.verdict is Verdict.CONFORM for check in checks),
        checks=len(checks),
        seconds=sum(check.seconds for check in checks),
        rows=tuple(_row(run, test, members) for test, members in tests.items()),
        panels=tuple(_panels(checks)),
    )


def _row(run: Run, test: str, checks: Sequence[CheckResult]) -> PromiseRow:
    key = slug(test.removeprefix("suites/"))
    return PromiseRow(
        key=key,
        promise=checks[0].promise,
        test=test,
        profile=run.profile(checks[0]),
        verdict=_worst(checks),
        variants=tuple(
            _variant(run.folder, check, f"{key}-{place}") for place, check in enumerate(sorted(checks, key=_badness))
        ),
        command=check_command(test),
    )


def _variant(folder: Path, check: CheckResult, key: str) -> Variant:
    diagnostics = Path("diagnostics") / Path(str(check.diagnostics)).name if check.diagnostics else None
    return Variant(
        check=check.check,
        label=check.check.partition("[")[2].removesuffix("]"),
        verdict=check.verdict,
        reason=check.reason,
        seconds=check.seconds,
        evidence=tuple(shown(check.evidence, folder, key)),
        diagnostics=f"{diagnostics.as_posix()}/" if diagnostics and (folder / diagnostics).is_dir() else None,
    )


def shown(items: Sequence[Any], folder: Path, key: str) -> Iterator[Shown]:
    """Items of evidence, drawn."""
    for place, item in enumerate(items):
        entry = item if isinstance(item, Mapping) else {"name": f"evidence {place + 1}", "seen": item}
        name = str(entry.get("name") or f"evidence {place + 1}")
        kind = str(entry.get("kind") or "")
        yield Shown(name, render(Item(name, kind, entry.get("seen"), folder, f"{key}-{place}")), kind)


def _panels(checks: Sequence[CheckResult]) -> Iterator[Shown]:
    """Who got through to whom, over all attempts; and the life of the first address among the evidence."""
    seen = [(item.get("seen"), check) for check in checks for item in check.evidence if isinstance(item, Mapping)]
    attempts = [
        Asked(one, check.verdict is Verdict.CONFORM)
        for value, check in seen
        if isinstance(value, list)
        for one in value
        if is_attempt(one)
    ]
    found = outcome_matrix(attempts)
    if found:
        rows, columns, cells = found
        yield Shown(
            f"Who got through to whom: {len(attempts)} requests",
            joined([matrix({"rows": rows, "columns": columns, "cells": cells}, corner="from \\ to"), _doubt(cells)]),
        )
    address = next((value for value, _ in seen if is_load_balancer(value)), None)
    if address is not None:
        yield Shown(f"Life of an address: {address['namespace']}/{address['name']}", stages(life_of(address)))


def _doubt(cells: Sequence[Sequence[Mapping[str, str] | None]]) -> Markup | None:
    doubtful = any(cell and cell["tone"] == "warn" for row in cells for cell in row)
    return tag("p", "! asked by a check that does not conform", class_="cut") if doubtful else None


def _worst(checks: Sequence[CheckResult]) -> Ending:
    return min(checks, key=_badness).verdict


def _badness(check: CheckResult) -> int:
    return _WORST_FIRST.index(check.verdict)
