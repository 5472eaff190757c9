"""Figures are kept for each run, and a change beyond noise is told where it happened."""

from __future__ import annotations

import json
from math import log
from pathlib import Path

import pytest
from sample_run import check, write_past, write_plain_run

from meshproof.report.evidence import Evidence
from meshproof.report.history import ERROR_RATE, EVIDENCE, History, error_budget, figures_of
from meshproof.report.page import write_report
from meshproof.report.rebuilt import nights_of
from meshproof.report.results import Results
from meshproof.report.runs import read_run
from meshproof.verdict import Verdict


def test_figures_of_a_run_are_times_conformity_and_evidence(sample: Path) -> None:
    figures = {figure.name: figure for figure in figures_of(read_run(sample))}
    assert figures["set-up (created, source): all"].value == 41.0
    assert figures["set-up (created, source): stack"].value == 27.0
    assert figures["traces: completeness"].value == 99.98
    assert (figures["canary: p90 ratio"].low, figures["canary: p90 ratio"].high) == (1.021, 1.131)
    assert round(figures["conforming, of 11 checks"].value, 1) == 63.6


def test_run_that_is_kept_twice_is_kept_once(sample: Path) -> None:
    with History.of(sample.parent) as history:
        history.record(read_run(sample))
        history.record(read_run(sample))
        assert history.runs == (sample.name,)
        (trend,) = [t for t in history.trends(sample.name, fewest=1) if t.name == "traces: completeness"]
        assert len(trend.figures) == 1


def test_change_is_told_with_its_run(tmp_path: Path) -> None:
    write_past(tmp_path, runs=24, change_at=14)
    with History.of(tmp_path) as history:
        history.catch_up(tmp_path)
        trends = {trend.name: trend for trend in history.trends(history.runs[-1])}
        (change,) = trends["set-up (created, source): all"].changes
        assert trends["set-up (created, source): all"].runs[change.at] == history.runs[14]
        assert 1.15 < change.after / change.before < 1.35
        assert trends["set-up (created, source): bed"].changes == ()


def test_trend_ends_with_the_run_that_is_told_of(tmp_path: Path) -> None:
    write_past(tmp_path, runs=10)
    with History.of(tmp_path) as history:
        history.catch_up(tmp_path)
        assert {len(trend.runs) for trend in history.trends(history.runs[4])} == {5}


def test_other_kinds_of_bed_are_not_compared(tmp_path: Path) -> None:
    for day in range(1, 4):
        write_plain_run(tmp_path / f"2026110{day}-000000", seconds=40)
    path = tmp_path / "20261103-000000" / "results.json"
    path.write_text(path.read_text().replace('"created"', '"kept"'))
    with History.of(tmp_path) as history:
        history.catch_up(tmp_path)
        assert not [trend for trend in history.trends("20261103-000000") if "set-up" in trend.name]


def test_damaged_runs_are_left_out(tmp_path: Path) -> None:
    write_past(tmp_path, runs=3)
    (tmp_path / "20261130-000000").mkdir()
    (tmp_path / "20261130-000000" / "results.json").write_text("{")
    with History.of(tmp_path) as history:
        history.catch_up(tmp_path)
        assert len(history.runs) == 3


def write_night(reports: Path, day: int, log_e: float, verdict: Verdict = Verdict.CONFORM) -> Path:
    """A run with nothing but its evidence against the split."""
    kept = Evidence()
    kept.figure("against 70/30", log_e, EVIDENCE)
    kept.figure("may be wrong", 1e-4, ERROR_RATE)
    folder = reports / f"202611{day:02}-000000"
    made = [check("test_split.py::test_it[gateway]", "It holds.", verdict, kept)]
    Results(facts={"session": folder.name}, checks=made).write(folder / "results.json")
    return folder


def nights(reports: Path, run: Path):
    with History.of(reports) as history:
        history.catch_up(reports)
        (found,) = history.nights(run.name)
        return found


def test_nights_that_each_let_a_bias_pass_refute_it_together(tmp_path: Path) -> None:
    folders = [write_night(tmp_path, day, log(20)) for day in range(1, 11)]
    early, late = nights(tmp_path, folders[1]), nights(tmp_path, folders[9])
    assert early.joint == pytest.approx(2 * log(20))
    assert early.refuted is None
    assert len(late.runs) == 10
    assert late.refuted in {folder.name for folder in folders[3:8]}
    assert "REFUTED" in late.told and "REFUTED" not in early.told


def test_good_nights_are_evidence_for_nothing_but_stay_in_the_product(tmp_path: Path) -> None:
    folders = [write_night(tmp_path, day, -3.0) for day in range(1, 6)]
    found = nights(tmp_path, folders[-1])
    assert found.joint == pytest.approx(-15)
    assert found.refuted is None


def test_a_night_that_measured_nothing_is_left_out(tmp_path: Path) -> None:
    write_night(tmp_path, 1, 2.0)
    last = write_night(tmp_path, 2, 50.0, Verdict.INVALID)
    assert nights(tmp_path, last).log_e == (2.0,)


def test_a_night_that_is_kept_twice_counts_once(tmp_path: Path) -> None:
    folder = write_night(tmp_path, 1, 2.0)
    with History.of(tmp_path) as history:
        history.record(read_run(folder))
        history.record(read_run(folder))
    assert nights(tmp_path, folder).log_e == (2.0,)


def test_error_rates_of_a_run_add_up_and_are_told(tmp_path: Path) -> None:
    folder = write_night(tmp_path, 1, 2.0)
    content = json.loads((folder / "results.json").read_text())
    content["checks"].append({**content["checks"][0], "check": "suites/test_split.py::test_it[mesh]"})
    (folder / "results.json").write_text(json.dumps(content))
    assert error_budget(read_run(folder)) == pytest.approx(2e-4)
    page = write_report(folder).read_text()
    assert "All runs together" in page and "0.0002" in page
    assert any("0.0002" in line for line in nights_of(folder))


def test_a_run_without_error_rates_has_no_budget(sample: Path) -> None:
    assert error_budget(read_run(sample)) is None
