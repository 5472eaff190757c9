"""A run's summary for a CI job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from meshproof.errors import UsageError
from meshproof.report.markdown import summary_markdown
from meshproof.report.page import write_report
from meshproof.report.runs import read_run


@pytest.fixture
def report(sample: Path) -> Path:
    write_report(sample)
    return sample / "report.json"


def test_verdict_counts_and_every_reason_are_there(report: Path) -> None:
    text = summary_markdown(report)
    assert text.startswith("## Violated: run 20261120-080112\n")
    assert "7 conform, 2 failed, 2 not proven." in text
    assert "| canary | partial | 2 | 0 | 1 |" in text
    assert "plaintext was answered" in text
    for check in read_run(report.parent).results.checks:
        assert (f"`{check.check}`" in text) == (check.verdict.value != "CONFORM"), check.check
    assert "istio 1.31.0" in text
    assert "`tox -e e2e" in text


def test_a_success_is_told_in_a_word(report: Path) -> None:
    content = json.loads(report.read_text())
    for profile in content["profiles"]:
        profile |= {"failedChecks": [], "unprovenChecks": []}
    report.write_text(json.dumps(content | {"result": "success"}))
    text = summary_markdown(report)
    assert text.startswith("## Proven: ")
    assert "### " not in text


def test_a_reason_cannot_be_markup(report: Path) -> None:
    content = json.loads(report.read_text())
    content["profiles"][0]["failedChecks"][0]["reason"] = "<img src=x>\n## | `x` [y](z)"
    report.write_text(json.dumps(content))
    text = summary_markdown(report)
    assert "<img" not in text
    assert "\n## |" not in text
    assert r"\[y\](z)" in text


def test_many_reasons_are_cut_and_counted(report: Path) -> None:
    content = json.loads(report.read_text())
    failed = content["profiles"][0]["failedChecks"]
    failed *= 30
    report.write_text(json.dumps(content))
    assert "more: see the report" in summary_markdown(report)


def test_nights_are_told(report: Path) -> None:
    assert "- split: not refuted" in summary_markdown(report, ["split: not refuted"])


@pytest.mark.parametrize("content", ["", "[]", '{"run": 1}'])
def test_a_report_that_cannot_be_read_is_said_in_words(tmp_path: Path, content: str) -> None:
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(UsageError, match="cannot be read"):
        summary_markdown(tmp_path / "report.json")


def test_the_command_prints_nothing_else(report: Path) -> None:
    argv = [sys.executable, "-m", "meshproof.cli", "report", "--reports", str(report.parent.parent), "--summary"]
    ended = subprocess.run(argv, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert ended.stdout == summary_markdown(report)
