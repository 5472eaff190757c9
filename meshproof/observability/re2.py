"""Go's regular expressions with Python's `re`: what means the same is translated, what RE2 refuses is refused.

https://github.com/google/re2/wiki/Syntax. An expression that RE2 knows and `re` has no equal for raises NotModelled:
no guess is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from meshproof.errors import MeshproofError

__all__ = ["BadExpression", "NotModelled", "compile_re2"]

_MOST_REPEATS = 1000
_COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_GROUP = re.compile(r"\?(?:P?<(?P<name>[A-Za-z_]\w*)>|(?P<flags>[a-zA-Z-]*)(?P<end>[:)]))")
_ESCAPES = frozenset("dDwWbBafnrtv")
# \s of RE2 has no vertical tab.
_TRANSLATED = {"z": r"\Z", "A": r"\A", "s": r"[\t\n\f\r ]", "S": r"[^\t\n\f\r ]"}


class BadExpression(MeshproofError):
    """RE2 does not accept the expression."""


class NotModelled(MeshproofError):
    """RE2 accepts the expression, and Python has no equal for it."""


def compile_re2(expression: str) -> re.Pattern[str]:
    """The expression for `search`, which is what Go's MatchString does.

    Raises BadExpression, NotModelled.
    """
    translated = "".join(_parts(expression))
    try:
        return re.compile(translated, re.ASCII)
    except (re.error, OverflowError) as error:
        raise BadExpression("RE2 does not accept the expression", seen=f"{expression}: {error}") from error


def _parts(expression: str) -> Iterator[str]:
    place, repeated, anchor = 0, False, False
    while place < len(expression):
        sign = expression[place]
        count = _COUNT.match(expression, place) if sign == "{" else None
        if sign in "*+?" or count:
            if repeated:
                raise _bad(expression, "a repetition of a repetition")
            if anchor:
                raise NotModelled("a repetition of ^, $ or \\b is not modelled", seen=expression)
            part = count[0] if count else sign
            if count and max(int(count[1]), int(count[2] or 0)) > _MOST_REPEATS:
                raise _bad(expression, f"more than {_MOST_REPEATS} repetitions")
            if expression[place + len(part) : place + len(part) + 1] == "?":
                part += "?"
            repeated = True
            place += len(part)
            yield part
            continue
        repeated = False
        if sign == "\\":
            part, length = _escape(expression, place)
        elif sign == "[":
            part, length = _class(expression, place)
        elif sign == "(" and expression[place + 1 : place + 2] == "?":
            part, length = _group(expression, place)
        else:
            # Python's $ holds before a last line end, too; a lone { is itself in both.
            part, length = {"$": r"\Z", "{": r"\{"}.get(sign, sign), 1
        place += length
        anchor = part in ("^", r"\Z", r"\A", r"\b", r"\B")
        yield part


def _escape(expression: str, place: int) -> tuple[str, int]:
    sign = expression[place + 1 : place + 2]
    if not sign:
        raise _bad(expression, "a backslash at the end")
    if sign == "Q":
        literal, closed, _ = expression[place + 2 :].partition("\\E")
        return re.escape(literal), 2 + len(literal) + len(closed)
    if sign in "pPCx0" or (sign.isdigit() and expression[place + 2 : place + 3].isdigit()):
        raise NotModelled(f"\\{sign} in an expression is not modelled", seen=expression)
    if sign in _TRANSLATED:
        return _TRANSLATED[sign], 2
    if sign in _ESCAPES:
        return f"\\{sign}", 2
    if sign.isalnum() or not sign.isascii():
        raise _bad(expression, f"\\{sign}")
    return re.escape(sign), 2


def _class(expression: str, place: int) -> tuple[str, int]:
    at = place + 1
    part = "["
    if expression[at : at + 1] == "^":
        part, at = "[^", at + 1
    began = at
    while at < len(expression):
        sign = expression[at]
        if sign == "]" and at > began:
            return f"{part}]", at + 1 - place
        if expression.startswith("[:", at):
            raise NotModelled("classes such as [:alpha:] are not modelled", seen=expression)
        if sign == "\\":
            inner = expression[at + 1 : at + 2]
            if inner in ("s", "S"):
                raise NotModelled(f"\\{inner} inside of brackets is not modelled", seen=expression)
            if inner in ("b", "B", "A", "z"):
                raise _bad(expression, f"\\{inner} inside of brackets")
            escaped, length = _escape(expression, at)
            part, at = part + escaped, at + length
            continue
        # Python keeps [ and doubled signs for set operations to come.
        part, at = part + (sign if sign in "-^" or sign.isalnum() else re.escape(sign)), at + 1
    raise _bad(expression, "a bracket that is not closed")


def _group(expression: str, place: int) -> tuple[str, int]:
    found = _GROUP.match(expression, place + 1)
    if found is None:
        raise _bad(expression, expression[place : place + 4])
    if found["name"]:
        return f"(?P<{found['name']}>", 1 + len(found[0])
    flags = found["flags"]
    if set(flags) - set("imsU-") or flags.endswith("-") or flags.count("-") > 1:
        raise _bad(expression, found[0])
    if set(flags) & set("mU") or (found["end"] == ")" and (place > 0 or "-" in flags or not flags)):
        raise NotModelled(f"({found[0]} is not modelled here", seen=expression)
    return f"({found[0]}", 1 + len(found[0])


def _bad(expression: str, what: str) -> BadExpression:
    return BadExpression("RE2 does not accept the expression", seen=f"{expression}: {what}")
