"""What changed between two runs is told, and what did not is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sample_run import write_run

from meshproof.errors import UsageError
from meshproof.report.compare import compare, comparison_lines
from meshproof.report.rebuilt import compared, page_of
from meshproof.report.runs import find_run, read_run


@pytest.fixture
def reports(sample: Path) -> Path:
    """The sample run, and one after it in which something is different."""
    later = write_run(sample.parent / "20261121-080112", seconds=50.0)
    content = json.loads((later / "results.json").read_text())
    content["facts"]["versions"]["istio"] = "1.32.0"
    fixed, slow, gone = content["checks"][2], content["checks"][6], content["checks"].pop()
    fixed.update(verdict="CONFORM", reason="")
    slow["seconds"] = 20.0
    slow["evidence"][-1]["seen"].update(value=90.0, low=89.0, high=91.0)
    assert gone["check"].endswith("test_canary_is_as_fast")
    (later / "results.json").write_text(json.dumps(content))
    return sample.parent


def test_changes_are_found(reports: Path) -> None:
    found = compare(*(read_run(reports / name) for name in ("20261120-080112", "20261121-080112")))
    changed = {change.check.rpartition("::")[2]: change for change in found.checks}
    assert changed.keys() == {"test_client_without_a_sidecar_is_refused[alpine]", "test_canary_is_as_fast"}
    assert changed["test_canary_is_as_fast"].after is None
    assert found.versions == (("istio", "1.31.0", "1.32.0"),)
    figures = {change.name: change for change in found.figures}
    assert figures["set-up (created, source): all"].ratio == pytest.approx(50 / 41)
    assert figures["traces: completeness"].beyond is True
    assert [check.rpartition("::")[2] for check, *_ in found.times] == ["test_trace_is_whole"]


def test_lines_say_all_of_it(reports: Path) -> None:
    text = "\n".join(compared(reports, "20261120-080112", "20261121-080112"))
    for part in (
        "VIOLATE -> CONFORM: suites/test_mtls.py",
        "before: plaintext was answered",
        "CONFORM -> not made: suites/test_canary.py",
        "istio: 1.31.0 -> 1.32.0",
        "(×1.22)",
        "99.98 -> 90 % (×0.9), intervals apart",
        "12.4 s -> 20.0 s",
    ):
        assert part in text


def test_run_is_the_same_as_itself(sample: Path) -> None:
    run = read_run(sample)
    text = "\n".join(comparison_lines(compare(run, run)))
    assert text.count("  the same") == 3


def test_latest_run_is_found_also_behind_a_proof(reports: Path) -> None:
    (reports / "20261122-000000").mkdir()
    (reports / "latest").symlink_to("20261122-000000", target_is_directory=True)
    assert find_run(reports).name == "20261121-080112"
    assert page_of(reports).parent.name == "20261121-080112"


def test_unknown_run_lists_those_there_are(reports: Path) -> None:
    with pytest.raises(UsageError, match="20261120-080112"):
        find_run(reports, "nope")


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "meshproof.cli", "report", "--reports", str(folder), *words]
    return subprocess.run(argv, env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, check=False)


def test_command_prints_the_page_and_the_comparison(reports: Path) -> None:
    made = command(reports, "20261120-080112")
    assert made.stdout.strip() == str(reports / "20261120-080112" / "index.html"), made.stderr
    assert Path(made.stdout.strip()).is_file()
    told = command(reports, "--compare", "20261120-080112", "20261121-080112")
    assert "istio: 1.31.0 -> 1.32.0" in told.stdout
    refused = command(reports, "nope")
    assert (refused.returncode, "there is no run nope" in refused.stderr) == (2, True)
