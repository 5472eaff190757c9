"""What changed between two runs: verdicts, reasons, versions, figures, times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from textwrap import shorten

from meshproof.report.history import Figure, figures_of
from meshproof.report.results import CheckResult
from meshproof.report.runs import Run

__all__ = ["CheckChange", "Comparison", "FigureChange", "compare", "comparison_lines"]

_SLOWER = 1.25
_LEAST_SECONDS = 0.5
_WIDTH = 140


@dataclass(frozen=True)
class CheckChange:
    """A check whose verdict or reason is another one; one side is None where the check was not made."""

    check: str
    before: CheckResult | None
    after: CheckResult | None


@dataclass(frozen=True)
class FigureChange:
    """A figure of both runs. `beyond` tells whether their intervals lie apart, None where one has none."""

    name: str
    unit: str
    before: Figure
    after: Figure
    beyond: bool | None

    @property
    def ratio(self) -> float | None:
        """After over before."""
        return self.after.value / self.before.value if self.before.value else None


@dataclass(frozen=True)
class Comparison:
    """`versions` are (name, before, after), `times` are (check, seconds before, seconds after) of checks that took at
    least a quarter longer or shorter, by half a second or more."""

    before: Run
    after: Run
    checks: tuple[CheckChange, ...]
    versions: tuple[tuple[str, str, str], ...]
    figures: tuple[FigureChange, ...]
    times: tuple[tuple[str, float, float], ...]


def compare(before: Run, after: Run) -> Comparison:
    """Everything that is not the same in both runs; figures also where they are."""
    old = {check.check: check for check in before.results.checks}
    new = {check.check: check for check in after.results.checks}
    names = list(dict.fromkeys([*old, *new]))
    facts = [_flat(run) for run in (before, after)]
    known = list(dict.fromkeys([*facts[0], *facts[1]]))
    return Comparison(
        before=before,
        after=after,
        checks=tuple(
            CheckChange(name, old.get(name), new.get(name)) for name in names if _changed(old.get(name), new.get(name))
        ),
        versions=tuple(
            (name, facts[0].get(name, "none"), facts[1].get(name, "none"))
            for name in known
            if facts[0].get(name) != facts[1].get(name)
        ),
        figures=tuple(_figures(before, after)),
        times=tuple(
            (name, old[name].seconds, new[name].seconds)
            for name in names
            if name in old and name in new and _took_another_time(old[name].seconds, new[name].seconds)
        ),
    )


def comparison_lines(found: Comparison) -> list[str]:
    """For a console."""
    lines = [f"{found.before.name} -> {found.after.name}"]
    lines.append(f"overall: {found.before.results.overall} -> {found.after.results.overall}")
    lines += ["", "verdicts and reasons:", *(_check_lines(found) or ["  the same"])]
    lines += ["", "versions and digests:"]
    lines += [f"  {name}: {_short(old)} -> {_short(new)}" for name, old, new in found.versions] or ["  the same"]
    lines += ["", "figures:"]
    lines += [_figure_line(change) for change in found.figures] or ["  none in both"]
    lines += ["", "times of checks (a quarter and half a second off, or more):"]
    lines += [f"  {check}: {old:.1f} s -> {new:.1f} s" for check, old, new in found.times] or ["  the same"]
    return lines


def _check_lines(found: Comparison) -> list[str]:
    lines = []
    for change in sorted(found.checks, key=lambda one: one.before is None or one.after is None):
        words = [side.verdict.value if side else "not made" for side in (change.before, change.after)]
        lines.append(f"  {words[0]} -> {words[1]}: {change.check}")
        for word, side in (("before", change.before), ("after", change.after)):
            if side and side.reason:
                lines.append(f"    {word}: {shorten(side.reason, _WIDTH, placeholder=' ...')}")
    return lines


def _figure_line(change: FigureChange) -> str:
    ratio = f" (×{change.ratio:.3g})" if change.ratio is not None else ""
    apart = {None: "", True: ", intervals apart", False: ", intervals overlap"}[change.beyond]
    return f"  {change.name}: {change.before.value:.4g} -> {change.after.value:.4g} {change.unit}{ratio}{apart}"


def _changed(before: CheckResult | None, after: CheckResult | None) -> bool:
    if before is None or after is None:
        return True
    return (before.verdict, before.reason) != (after.verdict, after.reason)


def _took_another_time(old: float, new: float) -> bool:
    return abs(new - old) >= _LEAST_SECONDS and max(old, new) >= _SLOWER * min(old, new)


def _figures(before: Run, after: Run) -> Iterator[FigureChange]:
    old = {figure.name: figure for figure in figures_of(before)}
    for figure in figures_of(after):
        if figure.name in old:
            yield FigureChange(figure.name, figure.unit, old[figure.name], figure, _apart(old[figure.name], figure))


def _apart(one: Figure, other: Figure) -> bool | None:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return None
    return one.high < other.low or other.high < one.low


def _flat(run: Run) -> dict[str, str]:
    digests = run.results.facts.get("digests")
    found = dict(run.versions)
    found |= {str(name): str(value) for name, value in digests.items()} if isinstance(digests, Mapping) else {}
    return found | {name: str(run.results.facts.get(name, "none")) for name in ("bed", "images", "pool")}


def _short(value: str) -> str:
    return value[:19] if value.startswith("sha256:") else value
