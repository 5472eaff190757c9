"""What mutants did to the checks: a row for each, and every test behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from meshproof.report.page.markup import joined, seconds, tag
from meshproof.report.page.tables import Box, boxes
from meshproof.report.page.tree import tree
from meshproof.report.runs import property_name

__all__ = ["mutants"]

_TONES = {"caught": "good", "green": "muted", "collateral": "warn", "left out": "muted"}
_WORDS = {"green": "unharmed", "another reason": "for another reason"}
_PROBLEM = 400
"""Characters of what else went wrong that are shown without being asked for."""


def mutants(proof: Mapping[str, Any]) -> Markup:
    """From what `meshproof prove` wrote: {"rows": [{"mutant", "area", "breaks", "cells": [{"test", "mark", "verdict",
    "reason", "wanted"}], "restored", "seconds", "problem", "holds"}], "unproven": [tests], "left_out": [tests]}.

    A row for each mutant, and in it the properties whose checks it was let loose on: there are too many of both for a
    column each.
    """
    rows = list(proof["rows"])
    held = sum(bool(row.get("holds")) for row in rows)
    return joined(
        [
            tag("p", f"{held} of {len(rows)} mutants were caught as they had to be."),
            boxes(["mutant", "breaks", "what the checks of each property did"], [_row(row) for row in rows]),
            tag("details", tag("summary", "every mutant and every test"), *map(_told, rows), class_="fold"),
            _list("tests that no mutant made fail", proof.get("unproven")),
            _list("tests that this bed cannot make, so that no mutant could make them fail", proof.get("left_out")),
        ]
    )


def _list(what: str, tests: Any) -> Markup | None:
    named = [str(test) for test in tests or []]
    told = tag("summary", f"{what}: {len(named)}")
    return tag("details", told, tree(named), class_="fold") if named else None


def _row(row: Mapping[str, Any]) -> list[Box]:
    holds = bool(row.get("holds"))
    sign = tag("span", "✔ " if holds else "✘ ", class_="sign good" if holds else "sign bad", aria_hidden="true")
    found: dict[str, dict[str, int]] = {}
    for cell in row["cells"]:
        marks = found.setdefault(property_name(str(cell["test"])), {})
        marks[str(cell["mark"])] = marks.get(str(cell["mark"]), 0) + 1
    did = [tag("li", tag("strong", name), " ", *map(_mark, marks.items())) for name, marks in found.items()]
    did += [] if did else [tag("li", tag("span", "no check was run", class_="badge bad"))]
    named = joined([sign, str(row["mutant"]), tag("span", "" if holds else " (not as it had to be)", class_="muted")])
    return [Box(named, head=True), Box(str(row.get("breaks") or "")), Box(tag("ul", *did, class_="marks"))]


def _mark(counted: tuple[str, int]) -> Markup:
    mark, count = counted
    tone = _TONES.get(mark, "bad")
    words = f"{count} {_WORDS.get(mark, mark)}"
    return tag("span", words, class_=tone if tone == "muted" else f"badge {tone}")


def _told(row: Mapping[str, Any]) -> Markup:
    """One mutant in words, then its tests; those that were not harmed only by name."""
    unharmed = [str(cell["test"]) for cell in row["cells"] if cell["mark"] == "green"]
    tests = [
        tag(
            "li",
            tag("strong", _WORDS.get(str(cell["mark"]), str(cell["mark"]))),
            f": {cell['test']}",
            tag("pre", str(cell["reason"]), tabindex="0") if cell.get("reason") else None,
            tag("p", "had to say: ", tag("code", str(cell["wanted"]))) if cell.get("wanted") else None,
        )
        for cell in row["cells"]
        if cell["mark"] != "green"
    ]
    problem = " ".join(str(row.get("problem") or "").split())
    return joined(
        [
            tag("h3", f"{row['mutant']}: {row.get('breaks', '')}, {seconds(float(row.get('seconds') or 0))}"),
            _cut(problem) if problem else None,
            tag("ul", *tests) if tests else None,
            tag("p", f"unharmed: {', '.join(unharmed)}", class_="muted") if unharmed else None,
        ]
    )


def _cut(problem: str) -> Markup:
    if len(problem) <= _PROBLEM:
        return tag("p", problem, class_="render-error")
    shown = tag("p", f"{problem[:_PROBLEM]}…", class_="render-error")
    return joined(
        [shown, tag("details", tag("summary", "all of it"), tag("pre", problem, tabindex="0"), class_="fold")]
    )
