"""Lines sent against lines arrived: what is missing, doubled, out of order, altered, or carries the wrong tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from meshproof.errors import InvalidMeasurement
from meshproof.intake.backend import LogLine
from meshproof.observability.sentinels import sentinels_in

__all__ = ["COLUMNS", "Account", "Expectation", "Ledger", "reconcile", "tag_of"]

COLUMNS = (
    *("stream", "sent", "arrived", "missing", "doubled", "out of order", "altered", "wrong tags", "must", "because"),
)
"""The columns of Account.cells."""

# Agents know a container's name under two tags, of which some versions send but one.
_SAME = {"container_name": ("container_name", "kube_container_name")}
_SHOWN = 3


@dataclass(frozen=True)
class Expectation:
    """What was written to a stream and what must become of it.

    `sent` are the numbers of its lines, in the order in which they were written. `tags`: what every line that arrives
    has to carry; "service", "status" and "host" among them are the line's own fields. `because` says in words why its
    lines are in or out; `sentinel` names the stream whose later line makes their absence count.
    """

    stream: str
    sent: Sequence[int]
    arrives: bool = True
    because: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    sentinel: str = ""


@dataclass(frozen=True)
class Account:
    """What became of a stream. `arrived` counts all lines that came, `doubled` says how often a number did."""

    expectation: Expectation
    arrived: int
    missing: tuple[int, ...]
    doubled: Mapping[int, int]
    out_of_order: tuple[tuple[int, int], ...]
    altered: tuple[int, ...]
    unsent: tuple[int, ...]
    wrong_tags: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether everything that must arrive is there."""
        return not (self.expectation.arrives and self.missing)

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong, in sentences."""
        name, sent = self.expectation.stream, len(self.expectation.sent)
        if not self.expectation.arrives:
            because = f", although {self.expectation.because}" if self.expectation.because else ""
            return (f"{name}: {self.arrived} lines arrived of {sent}{because}",) if self.arrived else ()
        found = []
        if self.missing:
            found.append(f"{name}: {len(self.missing)} of {sent} lines did not arrive: {_ranges(self.missing)}")
        if self.doubled:
            often = ", ".join(f"{number} ({times} times)" for number, times in [*self.doubled.items()][:_SHOWN])
            found.append(f"{name}: {len(self.doubled)} of {sent} lines arrived more than once: {often}")
        if self.out_of_order:
            before, after = self.out_of_order[0]
            found.append(
                f"{name}: {len(self.out_of_order)} lines are out of order; line {after} came after line {before}"
            )
        if self.altered:
            found.append(f"{name}: {len(self.altered)} lines are not as they were written: {_ranges(self.altered)}")
        if self.unsent:
            found.append(f"{name}: lines arrived that nobody wrote: {_ranges(self.unsent)}")
        found += [f"{name}: {wrong}" for wrong in self.wrong_tags]
        return tuple(found)

    @property
    def row(self) -> dict[str, Any]:
        """For the report's ledger: source, expected, sent, arrived, sentinel."""
        return {
            "source": self.expectation.stream,
            "expected": "arrives" if self.expectation.arrives else "excluded",
            "sent": len(self.expectation.sent),
            "arrived": self.arrived,
            "sentinel": self.expectation.sentinel,
        }

    @property
    def cells(self) -> tuple[object, ...]:
        """One row of the table with these COLUMNS."""
        return (
            self.expectation.stream,
            len(self.expectation.sent),
            self.arrived,
            len(self.missing),
            len(self.doubled),
            len(self.out_of_order),
            len(self.altered),
            len(self.wrong_tags),
            "arrive" if self.expectation.arrives else "stay out",
            self.expectation.because,
        )


@dataclass(frozen=True)
class Ledger:
    """The accounts of one run. `strangers` are streams of the run that nobody declared, with their number of lines."""

    accounts: Mapping[str, Account]
    strangers: Mapping[str, int]

    def __getitem__(self, stream: str) -> Account:
        return self.accounts[stream]

    @property
    def complete(self) -> bool:
        """Whether everything that must arrive is there."""
        return all(account.complete for account in self.accounts.values())

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong in all accounts."""
        unknown = [f"{name}: {count} lines of a stream that nobody declared" for name, count in self.strangers.items()]
        return tuple(fault for account in self.accounts.values() for fault in account.faults) + tuple(unknown)


def reconcile(run: str, expectations: Iterable[Expectation], lines: Iterable[LogLine]) -> Ledger:
    """Compare. `lines` in the backend's order, oldest first; those without a sentinel of the run are left aside.

    Raises InvalidMeasurement for a stream to which nothing was sent: it would hold whatever became of it.
    """
    by_stream: dict[str, list[tuple[int, bool, LogLine]]] = {}
    for line in lines:
        for sentinel in sentinels_in(line.message):
            if sentinel.run == run:
                by_stream.setdefault(sentinel.stream, []).append((sentinel.sequence, sentinel.intact, line))
    accounts = {it.stream: _account(it, by_stream.get(it.stream, [])) for it in expectations}
    strangers = {name: len(found) for name, found in by_stream.items() if name not in accounts}
    return Ledger(accounts, strangers)


def tag_of(line: LogLine, name: str) -> str | None:
    """The value of a tag, or of the line's own field `service`, `status` or `host`; None where there is none."""
    if name in ("service", "status", "host"):
        return str(getattr(line, name)) or None
    for spelling in _SAME.get(name, (name,)):
        found = sorted(tag for tag in line.tags if tag.startswith(f"{spelling}:"))
        if found:
            return found[0].partition(":")[2]
    return None


def _account(expectation: Expectation, found: Sequence[tuple[int, bool, LogLine]]) -> Account:
    if not expectation.sent:
        raise InvalidMeasurement(f"nothing was sent to {expectation.stream}")
    sent = set(expectation.sent)
    times = Counter(number for number, _, _ in found)
    first_seen = list(dict.fromkeys(number for number, _, _ in found if number in sent))
    return Account(
        expectation=expectation,
        arrived=len(found),
        missing=tuple(sorted(sent - times.keys())),
        doubled={number: count for number, count in sorted(times.items()) if count > 1},
        out_of_order=tuple(_steps_back(first_seen, expectation.sent)),
        altered=tuple(sorted({number for number, intact, _ in found if not intact})),
        unsent=tuple(sorted(times.keys() - sent)),
        wrong_tags=tuple(_wrong_tags(expectation.tags, [line for _, _, line in found])),
    )


def _steps_back(seen: Sequence[int], sent: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Pairs of neighbours, the second of which was written before the first."""
    places = {number: place for place, number in enumerate(sent)}
    return ((one, other) for one, other in pairwise(seen) if places[other] < places[one])


def _wrong_tags(expected: Mapping[str, str], lines: Sequence[LogLine]) -> Iterable[str]:
    for name, value in expected.items():
        others = Counter(found for line in lines if (found := tag_of(line, name)) != value)
        for other, count in others.most_common(_SHOWN):
            instead = "no value at all" if other is None else other
            yield f"{count} lines have {instead} for {name}, not {value}"


def _ranges(numbers: Sequence[int]) -> str:
    """1, 2, 3, 7 as "1-3, 7"; the first few only."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [f"{first}" if first == last else f"{first}-{last}" for first, last in runs[: 2 * _SHOWN]]
    return ", ".join(shown) + (" ..." if len(runs) > 2 * _SHOWN else "")
