"""A console summary that a person can act on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten

from meshproof.report.results import CheckResult, Ending, LeftOut, Results
from meshproof.verdict import Verdict

__all__ = ["property_of", "summary_lines"]

_WIDTH = 150


def property_of(check: CheckResult) -> str:
    """The property that a check belongs to: its file's name in words."""
    return Path(check.check.partition("::")[0]).stem.removeprefix("test_").replace("_", " ")


def summary_lines(results: Results, reach: Sequence[str], folder: Path, page: Path | None = None) -> list[str]:
    """The verdict, a line a property, every reason, how to reach what still stands, and where to read more."""
    counts = results.summary
    shown = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count) or "nothing was checked"
    lines = [f"{results.overall.upper()}: {shown}", ""]
    properties = list(dict.fromkeys(property_of(check) for check in results.checks))
    width = max((len(name) for name in properties), default=0)
    for name in properties:
        checks = [check for check in results.checks if property_of(check) == name]
        worst = next((v for v in _WORST_FIRST if any(check.verdict is v for check in checks)), Verdict.CONFORM)
        conform = sum(check.verdict is Verdict.CONFORM for check in checks)
        seconds = sum(check.seconds for check in checks)
        lines.append(f"  {name:<{width}}  {worst.value:<12}  {conform} of {len(checks)} conform, {seconds:.1f} s")
    for check in results.checks:
        if check.verdict is not Verdict.CONFORM:
            lines += ["", f"{check.verdict.value}: {check.promise}", f"  {check.check}"]
            lines += [f"  {shorten(line, _WIDTH, placeholder=' ...')}" for line in check.reason.splitlines()[:6]]
            if check.diagnostics:
                lines.append(f"  diagnostics: {check.diagnostics}")
    read = [f"results: {folder / 'results.json'}", *([f"report:  {page}"] if page else [])]
    return [*lines, *([""] if results.checks else []), *reach, *read]


_WORST_FIRST: tuple[Ending, ...] = (Verdict.VIOLATE, Verdict.INVALID, Verdict.INCONCLUSIVE, LeftOut.NOT_PROVEN)
