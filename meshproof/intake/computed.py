"""Processors of log pipelines that make an attribute of others: category, arithmetic, the parts of a URL."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from meshproof.intake.attributes import get_attribute, set_attribute
from meshproof.intake.logs import Log
from meshproof.intake.rejections import Rejected

__all__ = ["arithmetic", "category", "url_parser"]

_ATTRIBUTE = re.compile(r"@?[A-Za-z_][\w.]*")
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def category(definition: Mapping[str, Any], matcher: Callable[[str], Callable[[Log], bool]]) -> Callable[[Log], None]:
    """The name of the first category whose filter the log matches."""
    target = str(definition["target"])
    categories = [(matcher(str(it["filter"]["query"])), str(it["name"])) for it in definition["categories"]]

    def apply(log: Log) -> None:
        name = next((name for matches, name in categories if matches(log)), None)
        if name is not None:
            set_attribute(log.attributes, target, name)

    return apply


def arithmetic(definition: Mapping[str, Any]) -> Callable[[Log], None]:
    """A number calculated with + - * / and parentheses. Without one of its attributes, nothing; or 0 in its place.

    Raises Rejected for an expression that cannot be read.
    """
    expression, target = str(definition["expression"]), str(definition["target"])
    replace_missing = bool(definition.get("is_replace_missing", False))
    try:
        names: list[str] = []
        tree = ast.parse(_ATTRIBUTE.sub(lambda found: _placeholder(found, names), expression), mode="eval")
        value = _value(tree.body, names, replace_missing)
    except SyntaxError as error:
        raise Rejected(400, "pipeline", f"arithmetic-processor: {expression!r}") from error

    def apply(log: Log) -> None:
        try:
            result = value(log)
        except (KeyError, ValueError, TypeError, ArithmeticError):
            return
        set_attribute(log.attributes, target, int(result) if float(result).is_integer() else result)

    return apply


def _placeholder(found: re.Match[str], names: list[str]) -> str:
    """A name that Python reads as one, whatever the attribute is called."""
    names.append(found.group().removeprefix("@"))
    return f"_{len(names) - 1}"


def _value(node: ast.expr, names: Sequence[str], replace_missing: bool) -> Callable[[Log], float]:
    """Raises KeyError, when called, for an attribute that is missing."""
    match node:
        case ast.BinOp(left, op, right) if type(op) in _OPERATORS:
            calculate = _OPERATORS[type(op)]
            first, second = _value(left, names, replace_missing), _value(right, names, replace_missing)
            return lambda log: calculate(first(log), second(log))
        case ast.UnaryOp(ast.USub(), operand):
            inner = _value(operand, names, replace_missing)
            return lambda log: -inner(log)
        case ast.Constant(int() | float() as number):
            return lambda _: number
        case ast.Name(placeholder):
            name = names[int(placeholder[1:])]

            def attribute(log: Log) -> float:
                found = get_attribute(log.attributes, name)
                if found is None and not replace_missing:
                    raise KeyError(name)
                return float(found or 0)

            return attribute
    raise Rejected(400, "pipeline", f"arithmetic-processor: {type(node).__name__} is not supported")


def url_parser(definition: Mapping[str, Any]) -> Callable[[Log], None]:
    """Scheme, host, port, path and query of the first source that is there."""
    sources, target = [str(source) for source in definition["sources"]], str(definition["target"])

    def apply(log: Log) -> None:
        texts = (get_attribute(log.attributes, source) for source in sources)
        text = next((text for text in texts if isinstance(text, str)), None)
        if text is None:
            return
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            return
        details = {
            "scheme": parts.scheme,
            "host": parts.hostname,
            "port": port,
            "path": parts.path,
            "queryString": dict(parse_qsl(parts.query)),
        }
        for name, value in details.items():
            if value:
                set_attribute(log.attributes, f"{target}.{name}", value)

    return apply
