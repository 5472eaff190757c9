"""From a run's folder to its page: each part is made on its own, so that one that fails leaves the others standing."""

from __future__ import annotations

import base64
import hashlib
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import meshproof
from meshproof.report.conformance import conformance, write_conformance
from meshproof.report.history import ALPHA, History, error_budget
from meshproof.report.page import view
from meshproof.report.page.curves import trend
from meshproof.report.page.markup import joined, seconds, tag
from meshproof.report.page.mutants import mutants
from meshproof.report.page.tables import SIGNS
from meshproof.report.page.waterfall import waterfall
from meshproof.report.reproduce import run_command
from meshproof.report.results import ENDINGS
from meshproof.report.runs import Run, read_run

__all__ = ["PAGE", "REPORT", "write_report"]

PAGE = "index.html"
REPORT = "report.json"

_TEMPLATES = Path(__file__).parent / "templates"
_SMALL_TRENDS = 12
_FILES = {
    "results.json": "every check with all its evidence",
    REPORT: "the conformance report, for programs",
    "timeline.json": "the set-up as data",
    "timeline.png": "the set-up as a picture",
}


def write_report(folder: Path) -> Path:
    """Make report.json and the page of a run from its results.json, keep its figures in the history beside it, and
    return the page's path. Whatever cannot be made says so in its place."""
    path = folder / PAGE
    try:
        html = _page(read_run(folder))
    except Exception as error:
        html = _apology(folder.name, error)
    path.write_bytes(html.encode(errors="replace"))
    return path


def _page(run: Run) -> str:
    facts = run.results.facts
    command = run_command(facts)
    trouble = _attempted(lambda: write_conformance(conformance(run, command), run.folder / REPORT), REPORT)
    found = view.properties(run)
    word, tone, sentence = view.headline(run)
    script = (_TEMPLATES / "page.js").read_text()
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            run=run,
            word=word,
            tone=tone,
            sentence=sentence,
            counts=[(ending, run.results.summary[ending]) for ending in ENDINGS if run.results.summary[ending]],
            total=len(run.results.checks),
            why=view.why(found),
            properties=found,
            setup=_guarded(lambda: waterfall("Set-up of the cluster and the stack", run.timeline), "the set-up")
            if run.timeline
            else None,
            took=seconds(float(run.timeline["seconds"])) if run.timeline.get("seconds") else None,
            checks_took=seconds(sum(check.seconds for check in run.results.checks)),
            mutants=_guarded(lambda: mutants(run.proof), "what the mutants did") if run.proof else None,
            trends=_guarded(lambda: _trends(run), "the history"),
            nights=_guarded(lambda: _nights(run), "the evidence of all runs together"),
            facts=_plain_facts(facts),
            digests=facts.get("digests") if isinstance(facts.get("digests"), Mapping) else {},
            command=command,
            trouble=trouble,
            files=[(name, about) for name, about in _FILES.items() if (run.folder / name).is_file()],
            began=run.began.strftime("%d %B %Y, %H:%M UTC") if run.began else "",
            version=meshproof.__version__,
            style=Markup((_TEMPLATES / "page.css").read_text()),  # noqa: S704  our own file
            script=Markup(script),  # noqa: S704  our own file
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def _trends(run: Run) -> Markup | None:
    with History.of(run.folder.parent) as history:
        history.record(run)
        found = sorted(history.trends(run.name), key=lambda one: not one.changes)
    if not found:
        return None
    changed = sum(bool(one.changes) for one in found)
    drawn = [tag("div", trend(one), class_="trend") for one in found]
    said = (
        f"{len(found)} figures over the runs up to this one; {changed or 'none'} changed beyond noise. Of runs before "
        f"which nothing changed, at most {100 * ALPHA:g} % show any change here (a permutation test over all "
        "stretches of runs, its error rate shared out among all figures)."
    )
    most = max(_SMALL_TRENDS, changed)
    rest = drawn[most:]
    return joined(
        [
            tag("p", said),
            tag("div", *drawn[:most], class_="trends"),
            tag(
                "details",
                tag("summary", f"{len(rest)} more figures"),
                tag("div", *rest, class_="trends"),
                class_="fold",
            )
            if rest
            else None,
        ]
    )


def _nights(run: Run) -> Markup | None:
    with History.of(run.folder.parent) as history:
        history.record(run)
        found = history.nights(run.name)
    budget = error_budget(run)
    if not found and budget is None:
        return None
    said = (
        "Independent runs ask the same promise: their e-values are multiplied, so that a bias too small for one run is "
        "refuted by many. Of promises that hold, at most one in ten thousand is ever refuted in this way."
    )
    spent = f"Any verdict of this run is wrong with probability {budget:.2g} at most (union bound)." if budget else ""
    return joined(
        [
            tag("p", said) if found else None,
            tag("ul", *[tag("li", one.told) for one in found]) if found else None,
            tag("p", spent) if spent else None,
        ]
    )


def _plain_facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The facts that are one word or a few."""
    left = ("versions", "digests", "command")
    return [
        (name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for name, value in facts.items()
        if name not in left and not isinstance(value, Mapping) and value not in (None, "", [])
    ]


def _guarded(make: Callable[[], Markup | None], what: str) -> Markup | None:
    try:
        return make()
    except Exception as error:
        return tag("p", f"{what} cannot be shown: {type(error).__name__}: {error}", class_="render-error")


def _attempted(act: Callable[[], None], what: str) -> str:
    try:
        act()
    except Exception as error:
        return f"{what} could not be written: {type(error).__name__}: {error}"
    return ""


def _apology(name: str, error: Exception) -> str:
    """A page for when there is nothing else to show."""
    trace = ""
    with suppress(Exception):
        trace = "".join(traceback.format_exception(error))
    body = joined(
        [
            tag("h1", f"meshproof: the report of {name} could not be made"),
            tag("p", f"{type(error).__name__}: {error}"),
            tag("pre", trace),
            tag("p", "What was seen is in ", tag("a", "results.json", href="results.json"), "."),
        ]
    )
    head = joined([tag("title", f"meshproof {name}"), tag("style", ":root{color-scheme:light dark}pre{overflow:auto}")])
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', tag('main', body)), lang='en')}"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"seconds": seconds, "tone": view.tone_of, "sign": lambda tone: SIGNS[tone]}
    return made
