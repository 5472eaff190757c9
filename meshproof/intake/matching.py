"""Search queries tested on a single log, as the filters of log pipelines need it."""

from __future__ import annotations

import re
from collections.abc import Callable

from meshproof.intake.attributes import flattened
from meshproof.intake.language import All, And, Exact, Node, Not, Or, Range, Term, Wildcard, parse, wildcard_pattern
from meshproof.intake.logs import Log

__all__ = ["log_matcher"]


def log_matcher(query: str) -> Callable[[Log], bool]:
    """Whether a log matches the query. Raises Rejected (400) for a query that cannot be read."""
    node = parse(query)
    return lambda log: _matches(node, log)


def _matches(node: Node, log: Log) -> bool:
    match node:
        case All():
            return True
        case Not(part):
            return not _matches(part, log)
        case And(parts):
            return all(_matches(part, log) for part in parts)
        case Or(parts):
            return any(_matches(part, log) for part in parts)
        case Term(name, wanted):
            return any(_value_matches(value, wanted, whole=name is not None) for value in _values(name, log))


def _values(name: str | None, log: Log) -> list[str | float]:
    if name is None:
        return [log.message]
    if name in ("service", "source", "host", "status"):
        return [getattr(log, name)]
    if name.startswith("@"):
        value = flattened(log.attributes).get(name[1:])
        return [] if value is None else [value]
    return [tag.partition(":")[2] for tag in log.tags if tag.startswith(f"{name}:")]


def _value_matches(value: str | float, wanted: Exact | Wildcard | Range, *, whole: bool) -> bool:
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    match wanted:
        case Exact(expected):
            if whole:
                return text == expected
            return re.search(rf"(?<!\w){re.escape(expected)}(?!\w)", text, re.IGNORECASE) is not None
        case Wildcard():
            pattern = wildcard_pattern(wanted)
            return (re.fullmatch if whole else re.search)(pattern, text, re.DOTALL) is not None
        case Range(low, high, with_low, with_high):
            try:
                number = float(value)
            except ValueError:
                return False
            above = low is None or number > low or (with_low and number == low)
            return above and (high is None or number < high or (with_high and number == high))
