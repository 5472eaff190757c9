"""The page in a real Chromium. Where there is none, these tests are left out, and say so."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path[:0] = [str(Path(__file__).parent.parent / folder) for folder in ("report", "load")]  # where the sample run is


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A Chromium of this machine, not one that playwright brings along."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: tox -e browser")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the sample run, with a past."""
    from sample_run import write_past, write_run

    from meshproof.report.rebuilt import page_of

    reports = tmp_path_factory.mktemp("reports")
    write_past(reports)
    write_run(reports / "20261120-080112")
    return page_of(reports, "20261120-080112")


class Visit:
    """A page that is open, and what went wrong on it."""

    def __init__(self, browser: Any, path: Path, **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.trouble: list[str] = []
        self.requested: list[str] = []
        self.page.on("console", lambda message: self.trouble.append(message.text) if message.type != "log" else None)
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.goto(path.as_uri())


@pytest.fixture
def visit(chromium: Any, report: Path) -> Iterator[Any]:
    """Opens the page, in a browser as described."""
    visits: list[Visit] = []

    def opened(path: Path = report, **context: Any) -> Visit:
        visits.append(Visit(chromium, path, **context))
        return visits[-1]

    yield opened
    for each in visits:
        each.context.close()
