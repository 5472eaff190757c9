"""The command that makes such a run again, without anything secret in it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from meshproof.secrecy import hidden, is_secret_name

__all__ = ["check_command", "run_command", "without_secrets"]

_KEY_LIKE = re.compile(r"\b[0-9a-fA-F]{32,40}\b")


def run_command(facts: Mapping[str, Any]) -> str:
    """How to make the whole run again: as the facts tell it (`command`), else from what they know of the bed."""
    given = facts.get("command")
    if isinstance(given, str) and given:
        return given
    if isinstance(given, Sequence) and given:
        return shlex.join(without_secrets([str(word) for word in given]))
    words = ["tox", "-e", "e2e"]
    cluster, images = facts.get("cluster"), facts.get("images")
    if facts.get("bed") == "borrowed":
        words += ["--", "--context", str(cluster)]
    else:
        options = [("--cluster-name", cluster, "cluster-istio"), ("--images", images, "")]
        chosen = [word for name, value, default in options if value and value != default for word in (name, value)]
        words += ["--", *map(str, chosen)] if chosen else []
    return shlex.join(without_secrets(words))


def check_command(check: str) -> str:
    """How to make one check again."""
    test = check.rpartition("::")[2].partition("[")[0]
    return shlex.join(["tox", "-e", "e2e", "--", "-k", test])


def without_secrets(words: Sequence[str]) -> list[str]:
    """A command's words, the values of options that name a secret and whatever looks like a key left out."""
    kept: list[str] = []
    hide = False
    for word in words:
        name, equals, _ = word.partition("=")
        if hide and not word.startswith("-"):
            kept.append("...")
        elif equals and is_secret_name(name):
            kept.append(f"{name}=...")
        else:
            kept.append(_KEY_LIKE.sub("...", hidden(word)))
        hide = word.startswith("-") and not equals and is_secret_name(word)
    return kept
