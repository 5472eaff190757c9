"""What a run says to Datadog: figures as metrics, an event that tells the verdict, and a service check."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meshproof.report.history import figures_of
from meshproof.report.results import ENDINGS, CheckResult, LeftOut
from meshproof.report.runs import Run, property_name
from meshproof.verdict import Verdict

__all__ = ["CHECK", "Measure", "Told", "measures", "tags_of", "told"]

CHECK = "meshproof.conformance"
"""The service check."""
_REASONS = 5
_REASON = 300
_WORST_FIRST = (Verdict.VIOLATE, Verdict.INVALID, Verdict.INCONCLUSIVE, LeftOut.NOT_PROVEN)


@dataclass(frozen=True)
class Measure:
    """One point of one metric; `tags` beside those of the whole run."""

    name: str
    value: float
    unit: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Told:
    """A run in words. `status` is a service check's: 0 ok, 1 warning, 2 critical, 3 unknown; `alert` an event's."""

    status: int
    alert: str
    title: str
    text: str


def tags_of(run: Run, env: str) -> list[str]:
    """What everything that a run sends is tagged with."""
    facts = run.results.facts
    named = {"env": env, "service": "meshproof", "run": run.name}
    named |= {name: str(facts[name]) for name in ("cluster", "bed", "images") if facts.get(name)}
    named |= {f"{part.replace('-', '_')}_version": value for part, value in run.versions.items()}
    return [f"{name}:{_word(value)}" for name, value in named.items()]


def measures(run: Run) -> list[Measure]:
    """Checks by verdict and profile, times, and what the evidence holds of figures, latencies and lines."""
    return [*_of_checks(run), *_of_times(run), *_of_figures(run), *_of_evidence(run)]


def told(run: Run) -> Told:
    """The verdict, the counts, and the reasons that weigh most."""
    counts = run.results.summary
    if counts[Verdict.VIOLATE]:
        status, alert, word = 2, "error", "violated"
    elif counts[Verdict.INVALID] or not run.results.checks:
        status, alert, word = 3, "error", "not measured"
    elif counts[Verdict.INCONCLUSIVE] or counts[LeftOut.NOT_PROVEN]:
        status, alert, word = 1, "warning", "partly proven"
    else:
        status, alert, word = 0, "success", "proven"
    shown = ", ".join(f"{count} {ending.value}" for ending, count in counts.items() if count) or "nothing was checked"
    failed = [check for ending in _WORST_FIRST for check in run.results.checks if check.verdict is ending]
    lines = [f"{run.results.overall}: {shown}", *map(_reason, failed[:_REASONS])]
    if len(failed) > _REASONS:
        lines.append(f"and {len(failed) - _REASONS} more")
    cluster = run.results.facts.get("cluster") or "a cluster"
    return Told(status, alert, f"meshproof: {word} on {cluster}"[:100], "\n".join(lines)[:4000])


def _reason(check: CheckResult) -> str:
    first = check.reason.strip().splitlines()[:1] or [""]
    return f"{check.verdict.value}: {check.promise} ({check.check}): {first[0]}"[:_REASON]


def _of_checks(run: Run) -> Iterator[Measure]:
    checks = run.results.checks
    for profile in dict.fromkeys(run.profile(check) for check in checks):
        members = [check for check in checks if run.profile(check) is profile]
        for ending in ENDINGS:
            tags = (f"verdict:{_word(ending.value)}", f"profile:{profile.value}")
            count = sum(check.verdict is ending for check in members)
            yield Measure("meshproof.checks", count, "check", tags)
    if checks:
        conform = run.results.summary[Verdict.CONFORM]
        yield Measure("meshproof.checks.conforming", 100 * conform / len(checks), "percent")


def _of_times(run: Run) -> Iterator[Measure]:
    of_checks = sum(check.seconds for check in run.results.checks)
    set_up = float(run.timeline.get("seconds") or 0.0)
    yield Measure("meshproof.run.seconds", set_up + of_checks, "second")
    yield Measure("meshproof.checks.seconds", of_checks, "second")
    if run.timeline:
        yield Measure("meshproof.setup.seconds", set_up, "second")


def _of_figures(run: Run) -> Iterator[Measure]:
    """Every figure of the history that came from a check; the others have metrics of their own."""
    for figure in figures_of(run):
        of, colon, name = figure.name.partition(": ")
        if not colon or of.startswith("set-up"):
            continue
        tags = (f"property:{_word(of)}", f"figure:{_word(name)}", *([f"unit:{figure.unit}"] if figure.unit else []))
        yield Measure("meshproof.figure", figure.value, "", tags)


def _of_evidence(run: Run) -> Iterator[Measure]:
    for check in run.results.checks:
        tags = _place(check)
        for item in check.evidence:
            seen = item.get("seen") if isinstance(item, Mapping) else None
            if not isinstance(seen, Mapping):
                continue
            named = (*tags, f"of:{_word(str(item.get('name')))}")
            if item.get("kind") == "quantiles":
                yield from _ratios(seen, named)
            elif item.get("kind") == "ledger":
                yield from _completeness(seen, named)


def _ratios(seen: Mapping[str, Any], tags: Sequence[str]) -> Iterator[Measure]:
    """Each arm's quantiles over the first arm's."""
    curves = [
        (name, {point["quantile"]: point["value"] for point in curve})
        for name, curve in (seen.get("arms") or {}).items()
    ]
    for name, curve in curves[1:]:
        baseline, base = curves[0]
        for quantile, value in curve.items():
            if value is not None and base.get(quantile):
                arms = (f"quantile:p{100 * quantile:g}", f"arm:{_word(name)}", f"baseline:{_word(baseline)}")
                yield Measure("meshproof.latency.ratio", value / base[quantile], "", (*tags, *arms))


def _completeness(seen: Mapping[str, Any], tags: Sequence[str]) -> Iterator[Measure]:
    """How much arrived of what had to."""
    wanted = [row for row in seen.get("rows") or [] if row.get("expected") == "arrives"]
    sent = sum(int(row["sent"]) for row in wanted)
    if sent:
        arrived = sum(int(row["arrived"]) for row in wanted)
        yield Measure("meshproof.completeness", 100 * arrived / sent, "percent", tuple(tags))


def _place(check: CheckResult) -> tuple[str, ...]:
    test, _, variant = check.check.rpartition("::")[2].partition("[")
    tags = (f"property:{_word(property_name(check.check))}", f"test:{_word(test)}")
    return (*tags, f"variant:{_word(variant.removesuffix(']'))}") if variant else tags


def _word(text: str) -> str:
    """A tag's value as Datadog keeps it: lower case, no spaces or commas, at most 150 characters."""
    return re.sub(r"[^\w./:-]+", "_", text.lower()).strip("_")[:150]
