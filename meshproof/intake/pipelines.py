"""Log pipelines in the JSON shapes of Datadog's API, so that one definition serves the intake and Datadog alike.

Processors: attribute-remapper, status-remapper, service-remapper, message-remapper, date-remapper, grok-parser (rules
of `%{matcher:attribute}` with the matchers below, and `%{data::json}`), pipeline, and those of computed.py. Anything
else is refused by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from meshproof.intake.attributes import get_attribute, remove_attribute, set_attribute
from meshproof.intake.computed import arithmetic, category, url_parser
from meshproof.intake.logs import Log, milliseconds, status_word
from meshproof.intake.rejections import Rejected

__all__ = ["compile_pipelines"]

Step = Callable[[Log], None]

_MATCHERS = {
    "word": r"\w+",
    "notSpace": r"\S+",
    "data": r".*?",
    "greedyData": r".*",
    "integer": r"[+-]?\d+",
    "number": r"[+-]?\d+(?:\.\d+)?",
    "numberStr": r"[+-]?\d+(?:\.\d+)?",
    "ip": r"[0-9A-Fa-f:.]+",
    "ipv4": r"\d{1,3}(?:\.\d{1,3}){3}",
    "hostname": r"[\w.-]+",
    "uuid": r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "quotedString": r'"[^"]*"',
}
_TOKEN = re.compile(r"%\{(?P<matcher>\w+)(?::(?P<attribute>[\w.@-]*))?(?::(?P<filter>\w+))?\}")
_RESERVED = {"message": "message", "service": "service", "source": "source", "host": "host", "status": "status"}


def compile_pipelines(
    definitions: Sequence[Mapping[str, Any]], matcher: Callable[[str], Callable[[Log], bool]]
) -> Step:
    """One function that takes a log through all pipelines whose filter it matches, in order.

    `matcher` makes a test of a search query. Raises Rejected (400) that names what is not supported.
    """
    steps = [_pipeline(definition, matcher) for definition in definitions if definition.get("is_enabled", True)]
    return lambda log: _run(steps, log)


def _run(steps: Sequence[Step], log: Log) -> None:
    for step in steps:
        step(log)


def _pipeline(definition: Mapping[str, Any], matcher: Callable[[str], Callable[[Log], bool]]) -> Step:
    query = str((definition.get("filter") or {}).get("query") or "*")
    matches = matcher(query)
    steps = [_processor(it, matcher) for it in definition.get("processors") or [] if it.get("is_enabled", True)]

    def apply(log: Log) -> None:
        if matches(log):
            _run(steps, log)

    return apply


def _processor(definition: Mapping[str, Any], matcher: Callable[[str], Callable[[Log], bool]]) -> Step:
    kind = definition.get("type")
    try:
        match kind:
            case "attribute-remapper":
                return _attribute_remapper(definition)
            case "grok-parser":
                return _grok_parser(definition)
            case "status-remapper":
                return _field_remapper("status", definition["sources"], status_word)
            case "service-remapper":
                return _field_remapper("service", definition["sources"], str)
            case "message-remapper":
                return _field_remapper("message", definition["sources"], str)
            case "date-remapper":
                return _field_remapper("timestamp", definition["sources"], lambda value: milliseconds(value, 0))
            case "category-processor":
                return category(definition, matcher)
            case "arithmetic-processor":
                return arithmetic(definition)
            case "url-parser":
                return url_parser(definition)
            case "pipeline":
                return _pipeline(definition, matcher)
    except (KeyError, TypeError, AttributeError) as error:
        raise Rejected(400, "pipeline", f"processor {kind}: {type(error).__name__} {error}") from error
    raise Rejected(400, "pipeline", f"processor type {kind!r} is not supported")


def _attribute_remapper(definition: Mapping[str, Any]) -> Step:
    sources = [str(source) for source in definition["sources"]]
    target = str(definition["target"])
    for part in ("source_type", "target_type"):
        if definition.get(part, "attribute") not in ("attribute", "tag"):
            raise Rejected(400, "pipeline", f"attribute-remapper: {part} {definition[part]!r} is not supported")
    from_tag, to_tag = (definition.get(part) == "tag" for part in ("source_type", "target_type"))
    preserve, override = definition.get("preserve_source", False), definition.get("override_on_conflict", False)
    convert = _CONVERSIONS.get(str(definition.get("target_format") or "auto"))
    if convert is None:
        raise Rejected(400, "pipeline", f"attribute-remapper: target_format {definition['target_format']!r}")

    def apply(log: Log) -> None:
        for source in sources:
            value = _tag(log, source) if from_tag else get_attribute(log.attributes, source)
            if value is None:
                continue
            if to_tag:
                log.tags.append(f"{target}:{value}")
            elif override or source == target or get_attribute(log.attributes, target) is None:
                set_attribute(log.attributes, target, convert(value))
            if not preserve and source != target:
                if from_tag:
                    log.tags[:] = [tag for tag in log.tags if not tag.startswith(f"{source}:")]
                else:
                    remove_attribute(log.attributes, source)
            return

    return apply


def _field_remapper(field: str, sources: Sequence[str], convert: Callable[[Any], Any]) -> Step:
    names = [str(source) for source in sources]

    def apply(log: Log) -> None:
        for name in names:
            value = get_attribute(log.attributes, name)
            if value is None and name in _RESERVED:
                value = getattr(log, _RESERVED[name])
            converted = convert(value) if value not in (None, "") else None
            if converted:
                setattr(log, field, converted)
                return

    return apply


def _grok_parser(definition: Mapping[str, Any]) -> Step:
    source = str(definition.get("source") or "message")
    rules = [
        line.strip().partition(" ")[2] for line in str(definition["grok"]["match_rules"]).splitlines() if line.strip()
    ]
    compiled = [_grok_rule(rule) for rule in rules]

    def apply(log: Log) -> None:
        text = log.message if source == "message" else get_attribute(log.attributes, source)
        if not isinstance(text, str):
            return
        for pattern, targets in compiled:
            found = pattern.fullmatch(text)
            if found and _take(log, found, targets):
                return

    return apply


def _grok_rule(rule: str) -> tuple[re.Pattern[str], list[tuple[str, str]]]:
    targets: list[tuple[str, str]] = []

    def replace(token: re.Match[str]) -> str:
        if token["matcher"] not in _MATCHERS:
            raise Rejected(400, "pipeline", f"grok matcher {token['matcher']!r} is not supported")
        if token["filter"] not in (None, "json", "integer", "number", "lowercase"):
            raise Rejected(400, "pipeline", f"grok filter {token['filter']!r} is not supported")
        if token["attribute"] is None:
            return f"(?:{_MATCHERS[token['matcher']]})"
        targets.append((token["attribute"], token["filter"] or token["matcher"]))
        return f"({_MATCHERS[token['matcher']]})"

    try:
        return re.compile(_TOKEN.sub(replace, rule), re.DOTALL), targets
    except re.error as error:
        raise Rejected(400, "pipeline", f"grok rule {rule!r}: {error}") from error


def _take(log: Log, found: re.Match[str], targets: Sequence[tuple[str, str]]) -> bool:
    for text, (attribute, kind) in zip(found.groups(), targets, strict=False):
        value: Any = text
        if kind == "json":
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                return False
            if not attribute and isinstance(value, dict):
                log.attributes.update(value)
                continue
        elif kind == "integer":
            value = int(text)
        elif kind == "number":
            value = float(text)
        elif kind == "lowercase":
            value = text.lower()
        if attribute:
            set_attribute(log.attributes, attribute, value)
    return True


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _integer(value: Any) -> Any:
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return value


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "auto": lambda value: value,
    "string": str,
    "integer": _integer,
    "double": _number,
}


def _tag(log: Log, name: str) -> str | None:
    return next((tag.partition(":")[2] for tag in log.tags if tag.startswith(f"{name}:")), None)
