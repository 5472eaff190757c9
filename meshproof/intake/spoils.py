"""Spoiled answers on purpose: what searches find is lost, doubled or altered on its way to whoever asked.

What is kept stays as it came, so everything is well again as soon as the spoils are off. Searches for spans, logs and
documents are spoiled, and metric queries; aggregations are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from threading import Lock
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from meshproof.intake.rejections import Rejected

__all__ = ["Kept", "Pattern", "Spoil", "Spoils"]

Kept = Literal["spans", "logs", "documents", "metrics"]
Row = dict[str, Any]


def _is_a_regular_expression(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return value


Pattern = Annotated[str, AfterValidator(_is_a_regular_expression)]
"""A regular expression, as text."""


class Replacement(BaseModel):
    """Every match of `pattern` in a text becomes `by`, in which \\1 stands for a group."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pattern: Pattern
    by: str

    @model_validator(mode="after")
    def _fits(self) -> Replacement:
        try:
            re.compile(self.pattern).sub(self.by, "")
        except (re.error, IndexError) as error:
            raise ValueError(f"{self.by!r} does not fit {self.pattern!r}: {error}") from error
        return self


class Spoil(BaseModel):
    """What is done to the events `of` a kind whose fields all `match` (by name: a regular expression, searched for).

    Fields are the columns of the store, such as `message`, `tags`, `duration` (ns), `kind`, `content` (JSON), and the
    attributes of spans and logs by their names, such as `http.url`. Of metrics there are `metric`, the name, and
    `query`; to each of their points, `value`, something can be added.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: Kept
    match: Mapping[str, Pattern] = {}
    lost: bool = False
    twice: bool = False
    add: Mapping[str, float] = {}
    """Numbers by field."""
    replace: Mapping[str, Replacement] = {}
    """Parts of texts by field."""

    @model_validator(mode="after")
    def _does_one_thing(self) -> Spoil:
        if sum(map(bool, (self.lost, self.twice, self.add, self.replace))) != 1:
            raise ValueError("give one of lost, twice, add, replace")
        if self.of == "metrics" and (self.twice or self.replace or not self.add.keys() <= {"value"}):
            raise ValueError("metrics can be lost, or have something added to their value")
        return self

    def applied(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows as this spoil leaves them."""
        for row in rows:
            if not self.hits(row):
                yield row
            elif self.twice:
                yield from (row, row)
            elif not self.lost:
                yield self._altered(row)

    def hits(self, row: Mapping[str, Any]) -> bool:
        """Whether all fields match. A field that is not there does not."""
        texts = ((_text(row.get(_column(row, name))), pattern) for name, pattern in self.match.items())
        return all(text is not None and re.search(pattern, text) for text, pattern in texts)

    def _altered(self, row: Row) -> Row:
        changed = dict(row)
        for name, amount in self.add.items():
            value = row.get(column := _column(row, name))
            if isinstance(value, int | float) and not isinstance(value, bool):
                changed[column] = type(value)(value + amount)
        for name, replacement in self.replace.items():
            if (text := _text(row.get(column := _column(row, name)))) is not None:
                changed[column] = re.sub(replacement.pattern, replacement.by, text)
        return changed


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    spoils: tuple[Spoil, ...] = Field(default=())


class Spoils:
    """What is switched on; safe from many threads. Faults neither switch it on nor off."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._spoils: tuple[Spoil, ...] = ()

    def replace(self, settings: Any) -> None:
        """Switch on exactly these: `{"spoils": [...]}`. Raises Rejected (400)."""
        try:
            spoils = _Settings.model_validate(settings).spoils
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise Rejected(400, "bad_spoil", f"spoils: {place}: {first['msg']}") from error
        with self._lock:
            self._spoils = spoils

    def rows(self, kind: str, rows: list[Row]) -> list[Row]:
        """The rows of an answer, spoiled one way after the other."""
        for spoil in self._of(kind):
            rows = [*spoil.applied(rows)]
        return rows

    def points(self, metric: str, query: str, points: list[tuple[int, float]]) -> list[tuple[int, float]] | None:
        """The points of a series, spoiled; None when the series is lost."""
        row = {"metric": metric, "query": query}
        for spoil in self._of("metrics"):
            if spoil.hits(row):
                if spoil.lost:
                    return None
                points = [(moment, value + spoil.add["value"]) for moment, value in points]
        return points

    def status(self) -> dict[str, Any]:
        """What is switched on, as it was given."""
        with self._lock:
            return {"spoils": [spoil.model_dump(exclude_defaults=True) for spoil in self._spoils]}

    def _of(self, kind: str) -> list[Spoil]:
        with self._lock:
            return [spoil for spoil in self._spoils if spoil.of == kind]


def _column(row: Mapping[str, Any], name: str) -> str:
    """Where a field stands: attributes have columns of their own, @ before those that are texts, # before numbers."""
    return next((it for it in (name, f"@{name}", f"#{name}") if row.get(it) is not None), name)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return f"{value:g}" if isinstance(value, float) else str(value)
