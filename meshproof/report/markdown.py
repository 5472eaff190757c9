"""A run in Markdown, from its report.json: what a CI job shows as its summary."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from meshproof.errors import UsageError

__all__ = ["summary_markdown"]

_WORDS = {"success": "Proven", "partial": "Partly proven", "failure": "Not proven"}
_LISTED = 20
_REASON = 400


def summary_markdown(report: Path, nights: Sequence[str] = ()) -> str:
    """The verdict, a row a profile, every reason, the versions, and what all runs say together.

    Raises UsageError when there is no such report, or it cannot be read.
    """
    try:
        content = json.loads(report.read_text())
        return "\n".join(_lines(content, nights)) + "\n"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{report} cannot be read", seen=f"{type(error).__name__}: {error}") from error


def _lines(content: Mapping[str, Any], nights: Sequence[str]) -> Iterator[str]:
    counts, tested = content["statistics"], content["implementation"]
    violated = any(
        check["verdict"] == "VIOLATE" for profile in content["profiles"] for check in profile["failedChecks"]
    )
    yield f"## {'Violated' if violated else _WORDS[content['result']]}: run {_plain(content['run'])}"
    yield ""
    yield f"{counts['passed']} conform, {counts['failed']} failed, {counts['skipped']} not proven."
    yield ""
    yield "| profile | result | conform | failed | not proven |"
    yield "|---|---|--:|--:|--:|"
    for profile in content["profiles"]:
        of = profile["statistics"]
        yield f"| {profile['name']} | {profile['result']} | {of['passed']} | {of['failed']} | {of['skipped']} |"
    for title, field in (("Failed", "failedChecks"), ("Not proven", "unprovenChecks")):
        yield from _reasons(title, [check for profile in content["profiles"] for check in profile[field]])
    if nights:
        yield from ("", "### All runs together", "", *(f"- {_plain(line)}" for line in nights))
    yield ""
    yield f"{', '.join(f'{_plain(name)} {_plain(version)}' for name, version in tested['versions'].items())}"
    yield ""
    yield f"Again: `{content['command'].replace('`', '')}`"


def _reasons(title: str, checks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not checks:
        return
    yield from ("", f"### {title}", "")
    for check in checks[:_LISTED]:
        reason = " ".join(str(check["reason"]).split())[:_REASON]
        named = f"{_plain(check['promise'])} (`{check['check'].replace('`', '')}`)"
        yield f"- **{check['verdict']}** {named}: {_plain(reason)}"
    if len(checks) > _LISTED:
        yield f"- and {len(checks) - _LISTED} more: see the report"


def _plain(text: object) -> str:
    """Text that Markdown and HTML leave as it is."""
    shown = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{sign}" if sign in r"\`*_[]|#~" else sign for sign in shown)
