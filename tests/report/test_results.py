"""Results say what was proven, and evidence survives being written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest

from meshproof.report.evidence import Evidence, as_plain
from meshproof.report.files import flat, point_latest
from meshproof.report.results import CheckResult, Ending, LeftOut, Results
from meshproof.report.summary import summary_lines
from meshproof.verdict import Verdict


def result(verdict: Ending, name: str = "suites/test_mtls.py::test_x", reason: str = "") -> CheckResult:
    return CheckResult(name, "a promise", verdict, reason, 1.0)


@pytest.mark.parametrize(
    ("verdicts", "overall"),
    [
        ([Verdict.CONFORM], "success"),
        ([Verdict.CONFORM, Verdict.VIOLATE], "failure"),
        ([Verdict.CONFORM, Verdict.INVALID], "failure"),
        ([Verdict.CONFORM, LeftOut.NOT_PROVEN], "partial"),
        ([Verdict.CONFORM, Verdict.INCONCLUSIVE], "partial"),
        ([LeftOut.NOT_PROVEN, Verdict.VIOLATE], "failure"),
        ([], "failure"),
    ],
)
def test_overall_is_the_worst_that_happened(verdicts: list[Ending], overall: str) -> None:
    assert Results(checks=[result(verdict) for verdict in verdicts]).overall == overall


def test_written_results_can_be_read_by_programs(tmp_path: Path) -> None:
    results = Results(facts={"versions": {"istio": "1.31.0"}}, checks=[result(Verdict.VIOLATE, reason="answered 200")])
    results.write(tmp_path / "r" / "results.json")
    content = json.loads((tmp_path / "r" / "results.json").read_text())
    assert content["overall"] == "failure"
    assert content["summary"]["VIOLATE"] == 1
    assert content["checks"][0]["reason"] == "answered 200"
    assert content["facts"]["versions"] == {"istio": "1.31.0"}


def test_summary_names_property_reason_and_place() -> None:
    results = Results(checks=[result(Verdict.CONFORM), result(Verdict.VIOLATE, reason="plaintext was answered")])
    lines = summary_lines(results, ["kubectl: here"], Path("reports/now"))
    assert lines[0] == "FAILURE: 1 CONFORM, 1 VIOLATE"
    assert any(line.split() == ["mtls", "VIOLATE", "1", "of", "2", "conform,", "2.0", "s"] for line in lines)
    assert "  plaintext was answered" in lines
    assert "kubectl: here" in lines
    assert lines[-1] == "results: reports/now/results.json"


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Seen:
    colour: Colour
    parts: tuple[bytes, ...]


def test_evidence_is_copied_when_it_is_added() -> None:
    evidence = Evidence()
    seen = {"status": 200}
    evidence.add("outcome", seen)
    seen["status"] = 500
    assert evidence.items == [{"name": "outcome", "seen": {"status": 200}}]


def test_evidence_of_all_types_becomes_json() -> None:
    seen = {"a": Seen(Colour.RED, (b"\xff\x00",)), "b": {3, 1}, "c": Path("x/y"), "d": None, "e": object}
    plain = as_plain(seen)
    assert plain["a"] == {"colour": "red", "parts": ["\ufffd\x00"]}
    assert plain["b"] == [1, 3]
    assert plain["c"] == "x/y"
    json.dumps(plain)


def test_long_text_is_cut_and_says_so() -> None:
    assert as_plain("x" * 50_000).endswith("... (50000 characters)")


def test_latest_leads_to_the_last_run(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        point_latest(tmp_path, tmp_path / name)
    assert (tmp_path / "latest").resolve() == tmp_path / "two"


def test_facts_become_flat_properties() -> None:
    assert dict(flat({"versions": {"istio": "1"}, "run": "r"})) == {"versions.istio": "1", "run": "r"}
