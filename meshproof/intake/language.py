"""The query language of Datadog's log and span search: terms, AND, OR, NOT, -, parentheses, quotes, wildcards, ranges.

`parse` turns a query into a tree. What Datadog has and the intake has not (regular expressions, fuzzy search, CIDR(),
comparisons of texts) is refused with a message that names it, never silently misread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from meshproof.intake.rejections import Rejected

__all__ = ["All", "And", "Exact", "Node", "Not", "Or", "Range", "Term", "Wildcard", "parse", "wildcard_pattern"]


@dataclass(frozen=True)
class Exact:
    text: str
    quoted: bool = False


@dataclass(frozen=True)
class Wildcard:
    """`parts` of literal text; "*" and "?" stand as themselves, so an escaped star is a part such as `\\*`."""

    parts: tuple[str, ...]


@dataclass(frozen=True)
class Range:
    """Numbers between `low` and `high`; None is unbounded."""

    low: float | None = None
    high: float | None = None
    with_low: bool = True
    with_high: bool = True


@dataclass(frozen=True)
class Term:
    """`name` is None for free text; attributes keep their `@`."""

    name: str | None
    match: Exact | Wildcard | Range


@dataclass(frozen=True)
class All:
    """Matches everything: an empty query, or `*`."""


@dataclass(frozen=True)
class Not:
    part: Node


@dataclass(frozen=True)
class And:
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    parts: tuple[Node, ...]


Node = All | And | Or | Not | Term

_LONGEST_QUERY = 20_000
_DEEPEST = 50
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<open>\()
    | (?P<close>\))
    | (?P<minus>[-!](?=[^\s)]))
    | (?P<name>(?:@(?:[^\s()"\\:\[\]{}]|\\.)+|(?:[\w./*$+-]|\\.)+)):(?!:)
    | (?P<quoted>"(?:[^"\\]|\\.)*")
    | (?P<range>[\[{]\s*(?P<low>[^\s\]}]+)\s+TO\s+(?P<high>[^\s\]}]+)\s*[\]}])
    | (?P<comparison>(?:>=|<=|>|<)\s*[^\s()]+)
    | (?P<word>(?:[^\s()"\\]|\\.)+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER_WITH_UNIT = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(ns|us|µs|ms|s|m|h)?")
_NANOSECONDS = {None: 1, "ns": 1, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}


def unsupported(what: str) -> Rejected:
    return Rejected(400, "unsupported_query", f"not supported in a query: {what}")


def parse(query: str) -> Node:
    """The tree of a query. Raises Rejected (400) for bad syntax and for what is not supported, naming it."""
    if len(query) > _LONGEST_QUERY:
        raise Rejected(400, "bad_query", f"the query is longer than {_LONGEST_QUERY} characters")
    return _Parser(query).whole()


class _Parser:
    def __init__(self, query: str) -> None:
        self._query = query
        self._position = 0
        self._depth = 0

    def whole(self) -> Node:
        if not self._query.strip():
            return All()
        node = self._either()
        if self._peek() is not None:
            raise self._bad("unexpected )")
        return node

    def _bad(self, problem: str) -> Rejected:
        return Rejected(400, "bad_query", f"{problem} at character {self._position} of the query {self._query[:200]!r}")

    def _peek(self) -> re.Match[str] | None:
        if not self._query[self._position :].strip():
            return None
        found = _TOKEN.match(self._query, self._position)
        if found is None:
            raise self._bad("cannot be read: unclosed quote or bracket")
        return found

    def _keyword(self, *words: str) -> bool:
        found = self._peek()
        if found is not None and found["word"] in words:
            self._position = found.end()
            return True
        return False

    def _either(self) -> Node:
        parts = [self._both()]
        while self._keyword("OR", "||"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self) -> Node:
        parts = [self._one()]
        while True:
            joined = self._keyword("AND", "&&")
            found = self._peek()
            if not joined and (found is None or found["close"] or found["word"] in ("OR", "||")):
                break
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self) -> Node:
        found = self._peek()
        if found is None:
            raise self._bad("something is missing")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._bad("nested too deeply")
        try:
            if found["word"] == "NOT" or found["minus"]:
                self._position = found.end()
                return Not(self._one())
            if found["open"]:
                self._position = found.end()
                node = self._either()
                self._close()
                return node
            if found["name"]:
                self._position = found.end()
                return self._named(_unescaped(found["name"]))
            if found["range"] or found["comparison"]:
                raise self._bad("a range or comparison needs an attribute before it")
            return self._plain(None)
        finally:
            self._depth -= 1

    def _close(self) -> None:
        found = self._peek()
        if found is None or not found["close"]:
            raise self._bad("a ) is missing")
        self._position = found.end()

    def _named(self, name: str) -> Node:
        if "*" in name or name in ("_exists_", "_missing_"):
            raise unsupported(f"{name}: as an attribute name")
        found = self._peek()
        if found is None or found["close"]:
            raise self._bad(f"{name}: has no value")
        if found["open"]:
            self._position = found.end()
            parts = [self._value(name)]
            operators = set()
            while (found := self._peek()) is not None and not found["close"]:
                if self._keyword("OR"):
                    operators.add("OR")
                else:
                    self._keyword("AND")
                    operators.add("AND")
                parts.append(self._value(name))
            self._close()
            if len(operators) > 1:
                raise unsupported(f"AND and OR together in the values of {name}")
            return parts[0] if len(parts) == 1 else Or(tuple(parts)) if operators == {"OR"} else And(tuple(parts))
        return self._value(name)

    def _value(self, name: str) -> Node:
        found = self._peek()
        if found is None:
            raise self._bad(f"{name}: has no value")
        if found["minus"] and not re.match(r"\s*-[\d.]", self._query[self._position :]):
            self._position = found.end()
            return Not(self._value(name))
        if found["range"]:
            self._position = found.end()
            low, high = (None if end == "*" else _number(end) for end in (found["low"], found["high"]))
            text = found["range"]
            return Term(name, Range(low, high, text.startswith("["), text.endswith("]")))
        if found["comparison"]:
            self._position = found.end()
            return Term(name, _comparison(found["comparison"]))
        return self._plain(name)

    def _plain(self, name: str | None) -> Node:
        found = self._peek()
        assert found is not None
        if found["quoted"]:
            self._position = found.end()
            return Term(name, Exact(_unescaped(found["quoted"][1:-1]), quoted=True))
        # A value runs up to white space or a bracket, whatever tokens it would make on its own.
        word = re.compile(r'\s*((?:[^\s()"\\]|\\.)+)', re.DOTALL).match(self._query, self._position)
        if word is None:
            raise self._bad("a value is missing")
        self._position = word.end()
        text = word[1]
        if name is None and text in ("AND", "OR", "&&", "||"):
            raise self._bad(f"{text} has nothing on one side")
        _refuse_special(text, self._query[self._position :])
        if name is None and text == "*":
            return All()
        parts = tuple(part for part in re.split(r"((?<!\\)[*?])", text) if part)
        if any(part in ("*", "?") for part in parts):
            return Term(name, Wildcard(tuple(part if part in ("*", "?") else _literal(part) for part in parts)))
        return Term(name, Exact(_unescaped(text)))


def _refuse_special(text: str, following: str) -> None:
    if len(text) > 2 and text.startswith("/") and text.endswith("/"):
        raise unsupported(f"the regular expression {text}")
    if re.search(r"(?<!\\)~\d*$", text):
        raise unsupported(f"the fuzzy or proximity search {text}")
    if re.search(r"(?<!\\)\^[\d.]+$", text):
        raise unsupported(f"the boost {text}")
    if re.fullmatch(r"[A-Z][A-Z_]+", text) and following.startswith("("):
        raise unsupported(f"the function {text}()")


def _comparison(text: str) -> Range:
    operator = text[:2] if text[1] == "=" else text[:1]
    number = _number(text[len(operator) :].strip())
    if operator.startswith(">"):
        return Range(low=number, with_low=operator == ">=")
    return Range(high=number, with_high=operator == "<=")


def _number(text: str) -> float:
    found = _NUMBER_WITH_UNIT.fullmatch(text.strip('"'))
    if found is None:
        raise unsupported(f"a range or comparison with {text!r}, which is not a number")
    return float(found[1]) * _NANOSECONDS[found[2]]


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _literal(part: str) -> str:
    # A literal that is itself a star or question mark must not be taken for the wildcard.
    plain = _unescaped(part)
    return f"\\{plain}" if plain in ("*", "?") else plain


def wildcard_pattern(wildcard: Wildcard, anything: str = ".*", one: str = ".") -> str:
    """The wildcard as a regular expression."""
    table = {"*": anything, "?": one, "\\*": r"\*", "\\?": r"\?"}
    return "".join(table.get(part) or re.escape(part) for part in wildcard.parts)
