"""Requests and how they ended: from one outcome to a matrix of vantages and targets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from meshproof.report.evidence import Tone
from meshproof.report.page.markup import joined, seconds, tag
from meshproof.report.page.tables import Box, boxes
from meshproof.report.page.tree import tree

__all__ = ["Asked", "attempt_table", "is_attempt", "is_outcome", "outcome", "outcome_matrix", "outcome_words"]

_HASHES = re.compile(r"(-[a-f0-9]{6,10})?-[a-z0-9]{5}$")


@dataclass(frozen=True)
class Asked:
    """An attempt and how the check that made it ended."""

    attempt: Mapping[str, Any]
    conforms: bool


def is_outcome(value: Any) -> bool:
    """Whether this is what `Answered` or `Refused` leave as evidence."""
    return isinstance(value, Mapping) and value.get("outcome") in ("answered", "refused")


def is_attempt(value: Any) -> bool:
    """Whether this is a request from a vantage over a route, with its outcome."""
    return (
        isinstance(value, Mapping)
        and {"vantage", "route", "outcome"} <= value.keys()
        and is_outcome(value["outcome"])
        and isinstance(value["route"], Mapping)
    )


def outcome_words(value: Mapping[str, Any]) -> str:
    """The end in two words: "answered 200", "refused: reset"."""
    if value.get("outcome") == "answered":
        return f"answered {value.get('status')}"
    return f"refused: {value.get('reason')}"


def outcome(value: Mapping[str, Any]) -> Markup:
    """One outcome: a line, and all the rest behind it."""
    took = value.get("seconds")
    words = f"{outcome_words(value)}{f' in {seconds(float(took))}' if isinstance(took, int | float) else ''}"
    said = value.get("detail") or value.get("body")
    peer = f", by {value['peer']}" if value.get("peer") else ""
    rest = {key: item for key, item in value.items() if key not in ("outcome", "status", "reason") and item}
    if isinstance(rest.get("headers"), list):
        rest["headers"] = {
            str(pair[0]): pair[1] for pair in rest["headers"] if isinstance(pair, list) and len(pair) > 1
        }
    line = joined([tag("span", words, class_=f"end {value.get('outcome')}"), f"{peer} ", _said(said)])
    return tag("details", tag("summary", line), tree(rest), class_="fold outcome")


def attempt_table(attempts: Sequence[Mapping[str, Any]]) -> Markup:
    """Every attempt in a row: who asked whom over which way, how it ended, what the target's proxy logged."""
    rows = [
        [
            Box(vantage_words(str(one["vantage"]))),
            Box(_route_words(one["route"])),
            Box(outcome(one["outcome"])),
            Box(_entries(one.get("entries") or [])),
        ]
        for one in attempts
    ]
    return boxes(["from", "to", "ended", "logged by the target"], rows, class_="attempts")


def outcome_matrix(asked: Iterable[Asked]) -> tuple[list[str], list[str], list[list[dict[str, str] | None]]] | None:
    """Rows of vantages, columns of targets, and cells for a matrix, or None when there is no more than one cell.

    A cell of checks that conform is as promised; one of a check that does not is in question.
    """
    found: dict[tuple[str, str], list[Asked]] = {}
    for one in asked:
        row, column = vantage_words(str(one.attempt["vantage"])), _target_words(one.attempt["route"])
        found.setdefault((row, column), []).append(one)
    rows = list(dict.fromkeys(row for row, _ in found))
    columns = sorted(dict.fromkeys(column for _, column in found))
    if len(found) < 2:
        return None
    return rows, columns, [[_cell(found.get((row, column), [])) for column in columns] for row in rows]


def _cell(asked: Sequence[Asked]) -> dict[str, str] | None:
    if not asked:
        return None
    ends: dict[str, int] = {}
    for one in asked:
        outcome = one.attempt["outcome"]
        words = outcome_words(outcome).removeprefix("refused: ")
        ends[words] = ends.get(words, 0) + 1
    text = ", ".join(f"{words} ×{count}" if count > 1 else words for words, count in ends.items())
    tone = Tone.GOOD if all(one.conforms for one in asked) else Tone.WARN
    return {"text": text, "tone": tone.value, "detail": str(asked[0].attempt["outcome"].get("detail") or "")}


def vantage_words(vantage: str) -> str:
    """A vantage without the parts of a pod's name that differ from run to run."""
    return re.sub(r"pod (\S+?)/(\S+) \(\S+\)", lambda found: f"{found[1]}/{_workload(found[2])}", vantage)


def _workload(pod: str) -> str:
    return _HASHES.sub("", pod)


def _route_words(route: Mapping[str, Any]) -> str:
    return f"{route.get('way', '')} {route.get('address')}:{route.get('port')}".strip()


def _target_words(route: Mapping[str, Any]) -> str:
    """A target by its workload: pods' addresses differ from run to run."""
    pods = route.get("pods") or []
    if route.get("way") == "service" or not pods:
        host = str(route.get("address"))
        host = host if host[:1].isdigit() else ".".join(host.split(".")[:2]).removesuffix(".apps")
        return f"{host}:{route.get('port')} {route.get('way', '')}".strip()
    return f"{_workload(str(pods[0]))}:{route.get('port')} {route.get('way')}"


def _entries(entries: Sequence[Any]) -> Markup:
    if not entries:
        return tag("span", "nothing", class_="none")
    lines = []
    for pair in entries:
        pod, entry = (pair[0], pair[1]) if isinstance(pair, list) and len(pair) == 2 else ("", pair)
        entry = entry if isinstance(entry, Mapping) else {"entry": entry}
        words = [str(entry[key]) for key in ("downstream_tls_version", "downstream_peer_uri_san") if entry.get(key)]
        flags = [str(entry[key]) for key in ("response_flags", "response_code_details") if entry.get(key)]
        kept = {key: value for key, value in entry.items() if value is not None}
        summary = tag("summary", " ".join(words or flags) or f"a line of {pod}")
        lines.append(tag("details", summary, tree({"pod": pod, **kept}), class_="fold"))
    return joined(lines)


def _said(text: object) -> Markup | None:
    words = " ".join(str(text).split()) if text else ""
    return tag("code", words if len(words) <= 70 else f"{words[:69]}…") if words else None
