"""What is known of a run, now or at its end: figures for the terminal, the web page and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meshproof.load.rows import Rows
from meshproof.verdict import Verdict
from meshproof.verdict.arrays import Floats, Ints
from meshproof.verdict.preconditions import Conditions

__all__ = ["EXIT_CODES", "QUANTILES", "ArmFigures", "View", "figures_of"]

QUANTILES = (0.5, 0.9, 0.99)
EXIT_CODES = {Verdict.CONFORM: 0, Verdict.VIOLATE: 1, Verdict.INCONCLUSIVE: 3, Verdict.INVALID: 4}


@dataclass(frozen=True)
class ArmFigures:
    """One arm. Quantiles, by QUANTILES, in seconds, of the requests that did not fail; nan without any.

    `share` is of the attributed requests, `interval` holds at all looks at once.
    """

    arm: str
    promised: float
    requests: int
    failed: int
    share: float
    interval: tuple[float, float]
    service: tuple[float, ...]
    response: tuple[float, ...]


@dataclass(frozen=True)
class View:
    """`left` is how many requests a decision probably still needs; `details` are lines of what is special to the test.

    `decided`: the run need not go on. `log_evidence` is that of the split's e-process, in natural logs.
    """

    test: str
    verdict: Verdict
    reason: str
    decided: bool
    requests: int
    unattributed: int
    cap: int
    left: int
    log_evidence: float
    alpha: float
    arms: tuple[ArmFigures, ...]
    conditions: Conditions
    late_after: float
    details: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """Of the process: 0, 1, 3 or 4."""
        return EXIT_CODES[self.verdict]

    @property
    def line(self) -> str:
        """Progress, in one line."""
        shares = ", ".join(
            f"{arm.arm} {arm.share:.1%} in {arm.interval[0]:.1%}..{arm.interval[1]:.1%}" for arm in self.arms[1:]
        )
        odd = [
            f"{number:,} {name}"
            for number, name in (
                (self.unattributed, "unattributed"),
                (self.conditions.late, "late"),
                (self.conditions.dropped, "dropped"),
            )
            if number
        ]
        left = f"about {self.left:,} to go" if not self.decided else "decided"
        parts = [f"{self.requests:,} requests", shares, f"e-value {evidence(self.log_evidence)}", left, *odd]
        return " | ".join(parts)

    @property
    def lines(self) -> tuple[str, ...]:
        """The end, for people."""
        counts = ", ".join(f"{arm.arm} {arm.requests:,}" for arm in self.arms)
        made = self.conditions
        lines = [
            f"{self.verdict}: {self.reason}",
            f"  requests   {self.requests:,}: {counts}, {self.unattributed:,} unattributed; cap {self.cap:,}",
        ]
        for arm in self.arms:
            low, high = arm.interval
            lines.append(f"  {arm.arm:<10} {arm.share:.2%} for {arm.promised:.2%}, between {low:.2%} and {high:.2%}")
        lines.append(f"  e-value    {evidence(self.log_evidence)}; {1 / self.alpha:,.0f} would refute the split")
        for arm in self.arms:
            if arm.requests == arm.failed:
                lines.append(f"  {arm.arm:<10} no good answer, {arm.failed:,} failed")
                continue
            shown = [f"{1e3 * a:.2f} ({1e3 * b:.2f})" for a, b in zip(arm.response, arm.service, strict=True)]
            names = "/".join(f"p{100 * quantile:g}" for quantile in QUANTILES)
            lines.append(
                f"  {arm.arm:<10} {names} {' / '.join(shown)} ms from the intended (real) start, {arm.failed:,} failed"
            )
        lines += [f"  {line}" for line in self.details]
        lines.append(
            f"  starts     {made.planned:,} planned, {made.late:,} late by more than {1e3 * self.late_after:g} ms, "
            f"{made.dropped:,} dropped; the client took {made.cpu:.0%} of a CPU"
        )
        return (*lines, *(f"  warning    {warning}" for warning in self.warnings))


def evidence(log: float) -> str:
    """An e-value, short also where it is huge."""
    return f"{np.exp(log):.3g}" if log < 30 else f"1e{log / np.log(10):.0f}"


def figures_of(
    rows: Rows, arm: Ints, arms: Sequence[str], promised: Floats, intervals: Sequence[tuple[float, float]]
) -> tuple[ArmFigures, ...]:
    """The figures of each arm; `arm` is each row's, by its place in `arms`, -1 for none."""
    failed = rows.failed
    known = max(int(np.count_nonzero(arm >= 0)), 1)
    found = []
    for place, name in enumerate(arms):
        mine = arm == place
        good = mine & ~failed
        found.append(
            ArmFigures(
                arm=name,
                promised=float(promised[place]),
                requests=int(np.count_nonzero(mine)),
                failed=int(np.count_nonzero(mine & failed)),
                share=float(np.count_nonzero(mine) / known),
                interval=intervals[place],
                service=quantiles(rows.service[good]),
                response=quantiles(rows.response[good]),
            )
        )
    return tuple(found)


def quantiles(seconds: Floats) -> tuple[float, ...]:
    """Observed quantiles, by QUANTILES: values that occurred."""
    if not seconds.size:
        return (float("nan"),) * len(QUANTILES)
    return tuple(float(value) for value in np.quantile(seconds, QUANTILES, method="inverted_cdf"))
