"""What no error, log, report or console may show: the keys of this run, and the secrets of the environment."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

__all__ = ["HIDDEN", "hidden", "hidden_in", "is_secret_name", "remember", "shown"]

HIDDEN = "(hidden)"
"""What stands in a secret's place."""

_SHORTEST = 8
"""Shorter values are no secrets worth the name, and would be found in half of all words."""
_SHOWN = 120

_NAME = re.compile(
    r"(^|[^a-z])(api|app|application|access|account|private|signing|encryption|auth|ssh)[-_.]?keys?([^a-z]|$)"
    r"|(^|[^a-z])keys?$|token|secret|password|passwd|passphrase|credential|(^|[-_])pass$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_USER_INFORMATION = re.compile(r"(?<=://)[^\s/@:\"'<>]*:[^\s/@\"'<>]+(?=@)")
_BEARER = re.compile(r"(?i)(?<=\bbearer )[A-Za-z0-9._~+/=-]{16,}")

_known: set[str] = set()


def remember(*secrets: str) -> None:
    """Never show these from now on."""
    _known.update(secret for secret in secrets if len(secret) >= _SHORTEST)


def is_secret_name(name: str) -> bool:
    """Whether something of that name is a secret: DD_API_KEY, githubToken, db-password."""
    return bool(_NAME.search(_CAMEL.sub("_", name)))


def hidden(text: str) -> str:
    """The text without the secrets that are known: remembered ones, those of the environment, passwords in URLs,
    bearer tokens; also where they are written as base64, in JSON or in a URL."""
    return _without(text, _current())


def hidden_in(value: Any) -> Any:
    """The same for every text in lists and mappings."""
    return _without_in(value, _current())


def shown(value: object, *, name: str = "") -> str:
    """A value as an error shows it: on one line, shortened, and not at all under a secret's name."""
    if name and is_secret_name(name):
        return HIDDEN
    try:
        text = hidden(repr(value))
    except (ValueError, RecursionError) as error:  # a number of too many digits, a structure that is too deep
        return f"a value that cannot be shown: {error}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def _without(text: str, secrets: re.Pattern[str] | None) -> str:
    if secrets is not None:
        text = secrets.sub(HIDDEN, text)
    return _BEARER.sub(HIDDEN, _USER_INFORMATION.sub(HIDDEN, text))


def _without_in(value: Any, secrets: re.Pattern[str] | None) -> Any:
    if isinstance(value, str):
        return _without(value, secrets)
    if isinstance(value, Mapping):
        return {key: _without_in(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_in(item, secrets) for item in value]
    return value


def _current() -> re.Pattern[str] | None:
    return _pattern(frozenset(_known), frozenset(os.environ.items()))


@lru_cache(maxsize=4)
def _pattern(known: frozenset[str], environment: frozenset[tuple[str, str]]) -> re.Pattern[str] | None:
    secrets = {*known, *_of(environment)}
    written = {form for secret in secrets for form in _forms(secret)}
    return re.compile("|".join(map(re.escape, sorted(written, key=len, reverse=True)))) if written else None


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield base64.b64encode(secret.encode(errors="surrogateescape")).decode()
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield quote(secret, safe="", errors="surrogateescape")


def _of(environment: frozenset[tuple[str, str]]) -> Iterator[str]:
    for name, value in environment:
        for found in _USER_INFORMATION.findall(value):
            password = found.partition(":")[2]
            yield from (word for word in (password, unquote(password)) if len(word) >= _SHORTEST)
        if len(value.strip()) >= _SHORTEST and is_secret_name(name) and not _is_path(value):
            yield value.strip()


def _is_path(value: str) -> bool:
    """The name of a file that keeps a secret is none."""
    try:
        return "/" in value and Path(value).exists()
    except (OSError, ValueError):
        return False
