"""Reports on runs of the past, from what they left."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from meshproof.errors import UsageError
from meshproof.report.compare import compare, comparison_lines
from meshproof.report.history import History, error_budget
from meshproof.report.markdown import summary_markdown
from meshproof.report.page import REPORT, write_report
from meshproof.report.runs import find_run, read_run

__all__ = ["compared", "nights_of", "page_of", "summary_of"]


def page_of(reports: Path, name: str | None = None) -> Path:
    """Make the page of a run anew, the latest if no name is given; trends know all runs beside it.

    Raises UsageError when there is no such run, it cannot be read, or its folder cannot be written to.
    """
    folder = find_run(reports, name)
    read_run(folder)
    with suppress(sqlite3.Error, OSError), History.of(folder.parent) as history:
        history.catch_up(folder.parent)
    try:
        return write_report(folder)
    except OSError as error:
        raise UsageError(
            f"the page cannot be written into {folder}",
            seen=error.strerror,
            remedy="make the folder writable, or copy the run and give the copy's path",
        ) from error


def nights_of(folder: Path) -> list[str]:
    """What all runs up to this one say together, and how often a verdict of this one may be wrong, in lines."""
    run = read_run(folder)
    lines: list[str] = []
    with suppress(sqlite3.Error), History.of(folder.parent) as history:
        lines = [one.told for one in history.nights(run.name)]
    budget = error_budget(run)
    if budget is not None:
        lines.append(f"any verdict of this run is wrong with probability {budget:.2g} at most")
    return lines


def summary_of(folder: Path) -> str:
    """A run that has its report.json, in Markdown. Raises UsageError."""
    return summary_markdown(folder / REPORT, nights_of(folder))


def compared(reports: Path, before: str, after: str) -> list[str]:
    """What changed from one run to another, in lines.

    Raises UsageError when one of them cannot be had.
    """
    return comparison_lines(compare(read_run(find_run(reports, before)), read_run(find_run(reports, after))))
