"""What a check saw, attached to its result.

`add` keeps anything, as plain JSON. The other methods keep it with a `kind`, which the report's page draws: an item is
{"name", "seen"} or {"name", "kind", "seen"}, and each method's docstring gives the shape of its `seen`. A page that
does not know a kind shows its JSON.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import mimetypes
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from meshproof.secrecy import hidden

__all__ = [
    "FILES",
    "Cell",
    "Evidence",
    "Interval",
    "LedgerRow",
    "Line",
    "ParityRow",
    "Quantile",
    "Stage",
    "Tone",
    "as_plain",
]

FILES = "files"
"""The folder inside a run's folder that keeps evidence which is a file."""

_TEXT_LIMIT = 20_000
_POINTS = 400
"""Points kept of a line: more cannot be told apart on a page."""


class Tone(StrEnum):
    """How a cell or a row is to be read."""

    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    PLAIN = "plain"


@dataclass(frozen=True)
class Cell:
    """A cell of a matrix: few words, and how to read them; `detail` is told on request."""

    text: str
    tone: Tone = Tone.PLAIN
    detail: str = ""


@dataclass(frozen=True)
class Line:
    """One curve; `low` and `high` are its band. An open end of the band is None or not finite."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


@dataclass(frozen=True)
class Quantile:
    """One quantile of one arm: `quantile` in 0..1, the value, and its interval's ends where they are known."""

    quantile: float
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Interval:
    """A value, which may be infinite, with its interval, open where an end is None, and its limit from above.

    `note` is a word or two beside it, `detail` is told on request. The history of runs follows it by its label.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    note: str = ""
    detail: str = ""


@dataclass(frozen=True)
class LedgerRow:
    """Lines of one source: `expected` says what must become of them ("arrives", "excluded"); `sentinel` names the later
    line whose arrival makes an absence count."""

    source: str
    expected: str
    sent: int
    arrived: int
    tone: Tone = Tone.PLAIN
    sentinel: str = ""


@dataclass(frozen=True)
class ParityRow:
    """One figure told by two parties, the difference tolerated (a ratio: 0.02 is 2 %), and whether it is kept."""

    figure: str
    ours: float
    theirs: float
    tolerance: float | None = None
    holds: bool | None = None
    unit: str = ""


@dataclass(frozen=True)
class Stage:
    """One stage in the life of something: what happened, who says so, and after how many seconds, where known."""

    what: str
    by: str = ""
    detail: str = ""
    at: float | None = None


class Evidence:
    """The evidence of one check: named things in the order in which they were seen."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self._contents: dict[str, bytes] = {}

    def add(self, name: str, seen: object) -> None:
        """Keep what was seen under a name that says what it is. The value is copied to plain JSON types at once."""
        self.items.append({"name": name, "seen": as_plain(seen)})

    def text(self, name: str, text: str) -> None:
        """Lines to be shown as they are. Kind text: {"text"}."""
        self._keep(name, "text", {"text": text})

    def figure(
        self, name: str, value: float, unit: str = "", low: float | None = None, high: float | None = None
    ) -> None:
        """One number, which the history of runs follows by this name. Kind figure: {"value", "unit", "low", "high"}."""
        self._keep(name, "figure", {"value": _number(value), "unit": unit, "low": _number(low), "high": _number(high)})

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Kind table: {"columns": [...], "rows": [[...], ...]}."""
        self._keep(name, "table", {"columns": columns, "rows": rows})

    def matrix(
        self, name: str, rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[str, str], Cell | str]
    ) -> None:
        """Cells by (row, column); one that is not there stays empty, and says that nothing was seen.

        Kind matrix: {"rows", "columns", "cells": [[{"text", "tone", "detail"} or null, ...], ...]}.
        """

        def cell(row: str, column: str) -> Cell | None:
            found = cells.get((row, column))
            return Cell(found) if isinstance(found, str) else found

        self._keep(
            name,
            "matrix",
            {"rows": rows, "columns": columns, "cells": [[cell(row, column) for column in columns] for row in rows]},
        )

    def series(
        self,
        name: str,
        x: Sequence[float],
        y: Sequence[float],
        low: Sequence[float] | None = None,
        high: Sequence[float] | None = None,
        *,
        x_label: str,
        y_label: str,
        label: str = "",
        expected: float | None = None,
        margin: float | None = None,
        band: str = "",
    ) -> None:
        """One curve with its band, like a share with its confidence sequence over requests; see `lines`."""
        line = Line(label, x, y, low, high)
        self.lines(name, [line], x_label=x_label, y_label=y_label, expected=expected, margin=margin, band=band)

    def lines(
        self,
        name: str,
        lines: Sequence[Line],
        *,
        x_label: str,
        y_label: str,
        expected: float | None = None,
        margin: float | None = None,
        band: str = "",
        expected_is: str = "",
        logarithmic: bool = False,
    ) -> None:
        """Curves over one axis. Labels carry their units; `expected` ± `margin` is drawn as the promise, in the words
        `expected_is` if they are given; `band` says in words what the bands are, like "99.9 % at all requests at once".

        Kind series: {"lines": [{"label", "x", "y", "low", "high"}], "x_label", "y_label", "expected", "margin",
        "band", "expected_is", "logarithmic"}.
        """
        axes = {"x_label": x_label, "y_label": y_label, "expected": expected, "margin": margin, "band": band}
        axes |= {"expected_is": expected_is, "logarithmic": logarithmic}
        self._keep(name, "series", {"lines": [_thinned(line) for line in lines], **axes})

    def intervals(
        self,
        name: str,
        rows: Sequence[Interval],
        *,
        label: str,
        interval: str = "",
        limit: str = "",
        neutral: float | None = None,
        logarithmic: bool = False,
    ) -> None:
        """Values with their intervals over one axis, a row each; `label` carries the unit, `interval` and `limit` say
        in words what those are, `neutral` is a place on the axis that means no difference.

        Kind intervals: {"rows": [the fields of Interval], "label", "interval", "limit", "neutral", "logarithmic"}.
        """
        kept = [
            {field: _number(given) if isinstance(given, float | int) else given for field, given in vars(row).items()}
            for row in rows
        ]
        words = {"label": label, "interval": interval, "limit": limit}
        self._keep(name, "intervals", {"rows": kept, **words, "neutral": neutral, "logarithmic": logarithmic})

    def quantiles(
        self,
        name: str,
        arms: Mapping[str, Sequence[Quantile]],
        *,
        label: str = "latency",
        unit: str = "ms",
        interval: str = "",
    ) -> None:
        """The quantile curve of each arm; `interval` says in words what the intervals are.

        Kind quantiles: {"arms": {name: [{"quantile", "value", "low", "high"}]}, "label", "unit", "interval"}.
        """
        points = {
            arm: [{field: _number(number) for field, number in vars(point).items()} for point in curve]
            for arm, curve in arms.items()
        }
        self._keep(name, "quantiles", {"arms": points, "label": label, "unit": unit, "interval": interval})

    def waterfall(self, name: str, spans: Sequence[Mapping[str, Any]], longest_path: Sequence[str] = ()) -> None:
        """Steps in time. Kind waterfall: {"spans": [{"name", "group", "began", "ended", "state", "note"}],
        "longest_path": [names]}, in seconds, as `meshproof.timeline.export.as_data` gives them."""
        self._keep(name, "waterfall", {"spans": spans, "longest_path": longest_path})

    def ledger(self, name: str, rows: Sequence[LedgerRow]) -> None:
        """What was sent and what became of it. Kind ledger: {"rows": [the fields of LedgerRow]}."""
        self._keep(name, "ledger", {"rows": rows})

    def parity(self, name: str, rows: Sequence[ParityRow], *, ours: str = "here", theirs: str = "there") -> None:
        """The same figures from two parties. Kind parity: {"rows": [the fields of ParityRow], "ours", "theirs"}."""
        self._keep(name, "parity", {"rows": rows, "ours": ours, "theirs": theirs})

    def stages(self, name: str, stages: Sequence[Stage]) -> None:
        """The life of one thing, first to last. Kind stages: {"stages": [the fields of Stage]}."""
        self._keep(name, "stages", {"stages": stages})

    def file(self, name: str, content: str | bytes) -> None:
        """Keep a file, named with its ending; an SVG is drawn into the page.

        Kind file: {"path" inside the run's folder, "bytes", "sha256", "media_type"}. `write_files` puts it there.
        """
        data = hidden(content).encode() if isinstance(content, str) else content
        digest = hashlib.sha256(data).hexdigest()
        plain = PurePosixPath(re.sub(r"[^\w.-]+", "-", name).strip(".-") or "file")
        path = f"{FILES}/{plain.stem[:80]}-{digest[:8]}{plain.suffix}"
        self._contents[path] = data
        media_type = mimetypes.guess_type(plain.name)[0] or "application/octet-stream"
        self._keep(name, "file", {"path": path, "bytes": len(data), "sha256": digest, "media_type": media_type})

    def write_files(self, folder: Path) -> None:
        """Put the kept files below the run's folder."""
        for path, data in self._contents.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)

    def _keep(self, name: str, kind: str, seen: Mapping[str, Any]) -> None:
        self.items.append({"name": name, "kind": kind, "seen": as_plain(seen)})


def as_plain(value: object) -> Any:
    """The value in JSON's types: dataclasses and mappings as objects, long text cut with a note of its length, numbers
    that JSON does not have as text."""
    if hasattr(value, "as_evidence"):
        return as_plain(value.as_evidence())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return as_plain(value.decode(errors="replace"))
    if isinstance(value, Enum):
        return as_plain(value.value)
    if isinstance(value, str):
        return value if len(value) <= _TEXT_LIMIT else f"{value[:_TEXT_LIMIT]} ... ({len(value)} characters)"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        return as_plain(value.tolist())
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, Set):
        return sorted((as_plain(item) for item in value), key=str)
    if isinstance(value, Sequence):
        return [as_plain(item) for item in value]
    if isinstance(value, Path):
        return value.as_posix()
    return str(value)


def _number(value: float | None) -> float | None:
    """Rounded to what can be told apart; None for what is not finite."""
    return None if value is None or not math.isfinite(value) else float(f"{float(value):.7g}")


def _thinned(line: Line) -> dict[str, Any]:
    """Evenly spaced points, first and last among them."""
    count = len(line.x)
    step = max(1, math.ceil(count / _POINTS))
    kept = sorted({*range(count - 1, -1, -step), 0} if count else set())

    def those(values: Sequence[float] | None) -> list[float | None] | None:
        return None if values is None else [_number(values[index]) for index in kept]

    return {"label": line.label, **{name: those(getattr(line, name)) for name in ("x", "y", "low", "high")}}
