"""The page reads well and works: in light and dark, on a phone, in print, without scripts, for everybody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

Opened = Callable[..., Any]
PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "is_mobile": True}
PAPER = {"viewport": {"width": 700, "height": 1000}}
DESKTOP = {"viewport": {"width": 1200, "height": 900}}
OPEN_ALL = "document.querySelectorAll('details').forEach(one => one.open = true)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_loads_without_trouble_and_asks_for_nothing_else(visit: Opened, report: Path, scheme: str) -> None:
    seen = visit(color_scheme=scheme)
    assert seen.page.title().startswith("Violated: 20261120-080112")
    assert seen.trouble == []
    assert [url for url in seen.requested if not url.startswith("data:")] == [report.as_uri()]


def test_every_link_leads_somewhere(visit: Opened, report: Path) -> None:
    page = visit().page
    links = page.eval_on_selector_all("a[href]", "all => all.map(one => one.getAttribute('href'))")
    assert len(links) > 15
    for link in links:
        if link.startswith("#"):
            assert page.locator(f"[id='{link[1:]}']").count() == 1, link
        else:
            assert (report.parent / unquote(link)).exists(), link


def test_ids_are_unique(visit: Opened) -> None:
    ids = visit().page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert sorted(set(ids)) == sorted(ids)


def test_every_fold_opens_and_closes(visit: Opened) -> None:
    page = visit(**DESKTOP).page
    for fold in page.locator("details.promise").all():
        was = fold.evaluate("one => one.open")
        fold.locator("> summary").click()
        assert fold.evaluate("one => one.open") is not was
        fold.locator("> summary").click()
    page.get_by_role("button", name="open all").click()
    inner = page.locator("details.promise details > summary")
    assert inner.count() > 10
    assert page.locator("details.promise:not([open])").count() == 0
    page.get_by_role("button", name="close all").click()
    assert page.locator("details.promise[open]").count() == 0


def test_what_does_not_conform_is_open_and_reached_from_the_top(visit: Opened) -> None:
    page = visit(**DESKTOP).page
    page.get_by_role("button", name="close all").click()
    page.locator(".why a").first.click()
    target = page.locator(f"[id='{urlparse(page.url).fragment}']")
    assert target.evaluate("one => one.open") is True
    assert "plaintext was answered" in target.inner_text()


def test_filter_shows_one_verdict_and_a_link_undoes_it(visit: Opened) -> None:
    page = visit(**DESKTOP).page
    page.get_by_role("button", name="NOT PROVEN").click()
    assert page.locator("details.promise:visible").count() == 1
    assert page.locator("section.property:visible").count() == 1
    page.locator(".why a").first.click()
    assert page.locator("details.promise:visible").count() == page.locator("details.promise").count()


def test_page_can_be_read_without_scripts(visit: Opened) -> None:
    page = visit(java_script_enabled=False).page
    assert page.locator(".tools").is_hidden()
    assert page.get_by_role("heading", level=1).inner_text() == "✘ Violated"
    page.locator("details.promise:not([open]) > summary").first.click()
    assert page.locator("details.promise:not([open])").count() < page.locator("details.promise").count()
    assert page.locator("svg.plot").count() >= 3


@pytest.mark.parametrize("folds", ["as they come", "all open"])
@pytest.mark.parametrize("kind", ["phone", "print"])
def test_nothing_is_wider_than_phone_or_paper(visit: Opened, kind: str, folds: str) -> None:
    page = visit(**PHONE if kind == "phone" else PAPER).page
    if kind == "print":
        page.emulate_media(media="print")
    if folds == "all open":
        page.evaluate(OPEN_ALL)
    wide, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= room


def test_tables_become_lists_on_a_phone(visit: Opened) -> None:
    page = visit(**PHONE).page
    page.evaluate(OPEN_ALL)
    cut = page.eval_on_selector_all(
        "table.stacks", "all => all.filter(t => t.scrollWidth > t.parentElement.clientWidth)"
    )
    assert cut == []


@pytest.mark.parametrize("kind", ["desktop", "phone"])
def test_text_of_charts_stays_readable(visit: Opened, kind: str) -> None:
    page = visit(**PHONE if kind == "phone" else DESKTOP).page
    page.evaluate(OPEN_ALL)
    sizes = page.eval_on_selector_all(
        ".chart svg text", "all => all.map(one => one.getBoundingClientRect().height).filter(h => h > 0)"
    )
    assert len(sizes) > 50
    assert min(sizes) >= 10


@pytest.mark.parametrize("kind", ["desktop", "phone", "print"])
def test_text_of_charts_is_not_cut(visit: Opened, kind: str) -> None:
    page = visit(**PHONE if kind == "phone" else DESKTOP if kind == "desktop" else PAPER).page
    if kind == "print":
        page.emulate_media(media="print")
    page.evaluate(OPEN_ALL)
    cut = page.evaluate(
        """() => [...document.querySelectorAll('.chart svg text')].filter(one => {
            const box = one.getBoundingClientRect();
            return box.width && (box.left < 0 || box.right > document.documentElement.clientWidth);
        }).map(one => one.textContent)"""
    )
    assert cut == []


def test_matrices_become_lists_on_a_phone(visit: Opened) -> None:
    page = visit(**PHONE).page
    cell = page.locator("table.matrix td.tone").first
    label = cell.evaluate("one => getComputedStyle(one, '::before').content")
    assert label.strip('"') == f"{cell.get_attribute('data-label')}: " != ": "
    assert page.locator("table.matrix td.none:visible").count() == 0


def test_ticks_of_an_axis_do_not_overlap(visit: Opened) -> None:
    page = visit(**PHONE).page
    page.evaluate(OPEN_ALL)
    overlaps = page.evaluate(
        """() => [...document.querySelectorAll('svg.plot')].flatMap(plot => {
            const boxes = [...plot.querySelectorAll('text')].map(one => [one.textContent, one.getBoundingClientRect()]);
            return boxes.flatMap(([a, p], i) => boxes.slice(i + 1)
                .filter(([, q]) => p.left < q.right && q.left < p.right && p.top < q.bottom && q.top < p.bottom)
                .map(([b]) => `${a} over ${b}`));
        })"""
    )
    assert overlaps == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["desktop", "phone"])
def test_page_is_accessible(visit: Opened, kind: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit(color_scheme=scheme, **(PHONE if kind == "phone" else DESKTOP)).page
    page.evaluate(OPEN_ALL)
    # Its script comes from the test, not from the page, whose own rules would not let it in.
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    told = [(one["id"], one["help"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found]
    assert told == []


def test_colours_can_be_changed_by_hand(visit: Opened) -> None:
    page = visit(color_scheme="light", **DESKTOP).page
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("button", name="other colours").click()
    assert page.evaluate(paper) != light
    page.get_by_role("button", name="other colours").click()
    assert page.evaluate(paper) == light


def test_evidence_that_tries_to_run_does_not(visit: Opened, tmp_path: Path) -> None:
    from sample_run import FACTS, check

    from meshproof.report.evidence import Evidence
    from meshproof.report.page import write_report
    from meshproof.report.results import Results
    from meshproof.verdict import Verdict

    evil = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"
    kept = Evidence()
    kept.add(evil, {evil: evil, "lines": f"{evil}\n{evil}"})
    kept.table(evil, [evil], [[evil]])
    kept.series(evil, [1, 2], [1, 2], x_label=evil, y_label=evil, label=evil, band=evil)
    kept.file("x.svg", f"<svg xmlns='http://www.w3.org/2000/svg'><script>document.title='run'</script><text>{'a' * 9}"
                       "<animate onbegin=\"document.title='run'\"/></text></svg>")  # fmt: skip
    folder = tmp_path / "r"
    made = [check("test_x.py::test_y", evil, Verdict.VIOLATE, kept, reason=evil)]
    Results(facts={**FACTS, "cluster": evil}, checks=made).write(folder / "results.json")
    kept.write_files(folder)
    seen = visit(write_report(folder))
    seen.page.evaluate(OPEN_ALL)
    assert seen.page.title().startswith("Violated")
    assert seen.page.locator("main script, img").count() == 0
    assert seen.trouble == []
