"""What mutants did to the checks: a matrix of mutants and properties, and every test behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from meshproof.report.evidence import Tone
from meshproof.report.page.markup import joined, seconds, tag
from meshproof.report.page.tables import matrix
from meshproof.report.page.tree import tree
from meshproof.report.runs import property_name

__all__ = ["mutants"]

_TONES = {"caught": Tone.GOOD, "green": Tone.PLAIN, "collateral": Tone.WARN, "left out": Tone.PLAIN}
_WORDS = {"green": "unharmed", "another reason": "for another reason"}


def mutants(proof: Mapping[str, Any]) -> Markup:
    """From what `meshproof prove` wrote: {"rows": [{"mutant", "area", "breaks", "cells": [{"test", "mark", "verdict",
    "reason", "wanted"}], "restored", "seconds", "problem", "holds"}], "unproven": [tests]}."""
    rows = list(proof["rows"])
    columns = list(dict.fromkeys(property_name(str(cell["test"])) for row in rows for cell in row["cells"]))
    cells = [[_cell(row["cells"], column) for column in columns] for row in rows]
    held = sum(bool(row.get("holds")) for row in rows)
    names = [f"{'✔' if row.get('holds') else '✘'} {row['mutant']}" for row in rows]
    unproven = [str(test) for test in proof.get("unproven") or []]
    return joined(
        [
            tag("p", f"{held} of {len(rows)} mutants were caught as they had to be."),
            matrix({"rows": names, "columns": columns, "cells": cells}),
            tag("details", tag("summary", "every mutant and every test"), *map(_told, rows), class_="fold"),
            tag(
                "details",
                tag("summary", f"tests that no mutant made fail: {len(unproven)}"),
                tree(unproven),
                class_="fold",
            )
            if unproven
            else None,
        ]
    )


def _cell(cells: Sequence[Mapping[str, Any]], column: str) -> dict[str, str] | None:
    counts: dict[str, int] = {}
    for cell in cells:
        if property_name(str(cell["test"])) == column:
            counts[str(cell["mark"])] = counts.get(str(cell["mark"]), 0) + 1
    if not counts:
        return None
    tones = [_TONES.get(mark, Tone.BAD) for mark in counts]
    worst = next(tone for tone in (Tone.BAD, Tone.WARN, Tone.GOOD, Tone.PLAIN) if tone in tones)
    return {
        "text": ", ".join(f"{count} {_WORDS.get(mark, mark)}" for mark, count in counts.items()),
        "tone": worst.value,
    }


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
            tag("p", problem, class_="render-error") if problem else None,
            tag("ul", *tests) if tests else None,
            tag("p", f"unharmed: {', '.join(unharmed)}", class_="muted") if unharmed else None,
        ]
    )
