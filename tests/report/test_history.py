"""Figures are kept for each run, and a change beyond noise is told where it happened."""

from __future__ import annotations

from pathlib import Path

from sample_run import write_past, write_plain_run

from meshproof.report.history import History, figures_of
from meshproof.report.runs import read_run


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
