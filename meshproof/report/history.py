"""The figures of all runs, in one SQLite file beside them, and what changed beyond noise."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from math import ceil, isfinite, log, log10
from pathlib import Path
from typing import Any

from meshproof.errors import UsageError
from meshproof.report.runs import Run, property_name, read_run
from meshproof.verdict import Verdict
from meshproof.verdict.changepoint import Change, change_points
from meshproof.verdict.nights import evidence_over_nights, first_night_refuted

__all__ = ["ALPHA", "ERROR_RATE", "EVIDENCE", "Figure", "History", "Nights", "Trend", "error_budget", "figures_of"]

EVIDENCE = "log e"
"""The unit of a figure that is the natural log of an e-value against a promise, given to `evidence.figure`."""
ERROR_RATE = "error rate"
"""The unit of a figure that is the probability with which a check may be wrong."""

ALPHA = 0.01
"""Of the runs before which nothing changed, at most so many show any trend as changed: it is shared out among them."""

NIGHTS_ALPHA = 1e-4
"""Of each promise, over its whole history: how often many nights together may refute what holds."""

_FILE = "history.sqlite3"
_LATEST = 100
_DRAWS = 1999
_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    name TEXT PRIMARY KEY, began TEXT NOT NULL, overall TEXT NOT NULL, versions TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS figures (
    run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, name TEXT NOT NULL, unit TEXT NOT NULL,
    value REAL NOT NULL, low REAL, high REAL, PRIMARY KEY (name, run)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Figure:
    """One number of one run; `low` and `high` are its interval's ends, where known."""

    name: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Trend:
    """A figure over runs, oldest first; `changes` index `runs`."""

    name: str
    unit: str
    runs: tuple[str, ...]
    figures: tuple[Figure, ...]
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Nights:
    """A figure of evidence against one promise over all runs up to one, oldest first. Runs in which its check was
    INVALID have none. `joint` is the log of the product of their e-values; `refuted` is the run after which the joint
    evidence of some stretch of runs up to then reached 1/alpha, if any did."""

    name: str
    runs: tuple[str, ...]
    log_e: tuple[float, ...]
    alpha: float

    @property
    def joint(self) -> float:
        """Natural log: at log(1/alpha) and above the promise is refuted."""
        return evidence_over_nights(self.log_e)

    @property
    def refuted(self) -> str | None:
        """The first run after which the promise was refuted by all of them together."""
        place = first_night_refuted(self.log_e, self.alpha)
        return None if place is None else self.runs[place - 1]

    @property
    def told(self) -> str:
        """One line for people."""
        count = f"{len(self.runs)} run{'s' if len(self.runs) != 1 else ''}"
        joint = f"e = 10^{self.joint / log(10):.1f} over {count}, refuted from 10^{-log10(self.alpha):.0f} on"
        if self.refuted is not None:
            return f"{self.name}: REFUTED by run {self.refuted} ({joint})"
        return f"{self.name}: not refuted ({joint})"


class History:
    """Use it as a context: `with History.of(reports) as history`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def of(cls, reports: Path) -> Iterator[History]:
        """The history in a folder of reports, made when it is missing. One that is damaged is put aside, and made again
        from the runs beside it.

        Raises sqlite3.Error and OSError.
        """
        reports.mkdir(parents=True, exist_ok=True)
        damaged = _put_aside_if_damaged(reports / _FILE)
        with closing(sqlite3.connect(reports / _FILE, timeout=1.0)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.executescript(_TABLES)
            history = cls(connection)
            if damaged:
                history.catch_up(reports)
            yield history

    def record(self, run: Run) -> None:
        """Keep a run's figures; those kept before under its name are replaced."""
        began = run.began.isoformat() if run.began else run.name
        row = (run.name, began, run.results.overall, json.dumps(run.versions))
        with self._connection as transaction:
            transaction.execute("DELETE FROM runs WHERE name = ?", (run.name,))
            transaction.execute("INSERT INTO runs VALUES (?, ?, ?, ?)", row)
            transaction.executemany(
                "INSERT OR REPLACE INTO figures VALUES (?, ?, ?, ?, ?, ?)",
                [(run.name, f.name, f.unit, f.value, f.low, f.high) for f in figures_of(run)],
            )

    def catch_up(self, reports: Path) -> None:
        """Keep the figures of all runs in the folder that are not kept yet; what cannot be read is left out."""
        known = set(self.runs)
        for path in reports.glob("*/results.json"):
            if not path.parent.is_symlink() and path.parent.name not in known:
                with suppress(UsageError):
                    self.record(read_run(path.parent))

    @property
    def runs(self) -> tuple[str, ...]:
        """The names of all runs, oldest first."""
        return tuple(name for (name,) in self._connection.execute("SELECT name FROM runs ORDER BY began, name"))

    def trends(self, run: str, *, fewest: int = 3) -> tuple[Trend, ...]:
        """Each figure of a run over the runs up to it, where there are at least so many, with the changes in it."""
        found: dict[str, list[tuple[str, Figure]]] = {}
        query = """
            SELECT figures.run, figures.name, value, unit, low, high FROM figures JOIN runs ON runs.name = figures.run
            WHERE (began, runs.name) <= (SELECT began, name FROM runs WHERE name = :run)
              AND figures.name IN (SELECT name FROM figures WHERE run = :run)
            ORDER BY began, runs.name
        """
        for of_run, *values in self._connection.execute(query, {"run": run}):
            found.setdefault(values[0], []).append((of_run, Figure(*values)))
        series = {
            name: rows[-_LATEST:]
            for name, rows in found.items()
            if len(rows) >= fewest and rows[-1][1].unit not in (EVIDENCE, ERROR_RATE)
        }
        alpha = ALPHA / max(len(series), 1)
        return tuple(_trend(name, rows, alpha) for name, rows in series.items())

    def nights(self, run: str, alpha: float = NIGHTS_ALPHA) -> tuple[Nights, ...]:
        """The joint evidence against each promise over all runs up to one, whatever that one itself measured."""
        found: dict[str, list[tuple[str, float]]] = {}
        query = """
            SELECT figures.name, figures.run, value FROM figures JOIN runs ON runs.name = figures.run
            WHERE unit = :unit AND (began, runs.name) <= (SELECT began, name FROM runs WHERE name = :run)
            ORDER BY began, runs.name
        """
        for name, of_run, value in self._connection.execute(query, {"unit": EVIDENCE, "run": run}):
            found.setdefault(name, []).append((of_run, value))
        return tuple(
            Nights(name, tuple(of for of, _ in rows), tuple(value for _, value in rows), alpha)
            for name, rows in found.items()
        )


def error_budget(run: Run) -> float | None:
    """The probability that any check of a run is wrong is at most this, the sum of what each may be wrong with, however
    they depend on one another; None when no check states an error rate."""
    rates = [figure.value for figure in figures_of(run) if figure.unit == ERROR_RATE]
    return min(1.0, sum(rates)) if rates else None


def _put_aside_if_damaged(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=1.0)) as connection:
            (word,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        return False  # locked, or not to be read: nothing is known to be wrong with it
    except sqlite3.DatabaseError as error:
        word = str(error)
    if word == "ok":
        return False
    number = 1 + len(list(path.parent.glob(f"{path.stem}.damaged-*")))
    path.replace(path.with_name(f"{path.stem}.damaged-{number}"))
    return True


def figures_of(run: Run) -> list[Figure]:
    """The figures that a run is followed by: times of the set-up, of the checks, the part that conforms, and every
    figure and every value with an interval among the evidence."""
    checks = run.results.checks
    found = [*_times(run)]
    if checks:
        conform = sum(check.verdict is Verdict.CONFORM for check in checks)
        found.append(Figure(f"conforming, of {len(checks)} checks", 100 * conform / len(checks), "%"))
        found.append(Figure(f"time of all {len(checks)} checks", sum(check.seconds for check in checks), "s"))
    for check in checks:
        variant = check.check.partition("[")[2].removesuffix("]")
        for item in check.evidence:
            if not isinstance(item, Mapping) or not isinstance(item.get("seen"), Mapping):
                continue
            name = f"{property_name(check.check)}: {item.get('name')}{f' [{variant}]' if variant else ''}"
            if item.get("kind") == "figure":
                if item["seen"].get("unit") == EVIDENCE and check.verdict is Verdict.INVALID:
                    continue  # a measurement that was none has no e-value; see verdict.nights
                found += _of_evidence(name, item["seen"])
            if item.get("kind") == "intervals":
                rows = item["seen"].get("rows")
                for row in rows if isinstance(rows, list) else []:
                    found += _of_evidence(f"{name}, {row.get('label')}", row) if isinstance(row, Mapping) else []
    return list({figure.name: figure for figure in found}.values())


def _times(run: Run) -> Iterator[Figure]:
    """Seconds of the set-up and of its groups of steps. A kept bed and a new one are not compared with each other."""
    facts = run.results.facts
    kind = ", ".join(str(facts[name]) for name in ("bed", "images") if facts.get(name))
    spans = [span for span in run.timeline.get("spans") or [] if span.get("ended") is not None]
    groups: dict[str, list[Any]] = {}
    for span in spans:
        groups.setdefault(str(span.get("group")), []).append(span)
    for group, members in {"all": spans, **groups}.items():
        if members:
            seconds = max(span["ended"] for span in members) - min(span["began"] or 0.0 for span in members)
            yield Figure(f"set-up ({kind}): {group}", round(seconds, 3), "s")


def _of_evidence(name: str, seen: Mapping[str, Any]) -> list[Figure]:
    value, low, high = (_number(seen.get(field)) for field in ("value", "low", "high"))
    return [] if value is None else [Figure(name, value, str(seen.get("unit") or ""), low, high)]


def _number(value: object) -> float | None:
    with suppress(OverflowError):
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
            return float(value)
    return None


def _trend(name: str, rows: Sequence[tuple[str, Figure]], alpha: float) -> Trend:
    figures = tuple(figure for _, figure in rows)
    draws = max(_DRAWS, ceil(1 / alpha))
    changes = change_points([figure.value for figure in figures], alpha, draws=draws)
    return Trend(name, figures[-1].unit, tuple(run for run, _ in rows), figures, changes)
