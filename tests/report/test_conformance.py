"""report.json keeps to its published schema and counts right."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from meshproof.report.conformance import SCHEMA, conformance, schema
from meshproof.report.page import write_report
from meshproof.report.profiles import Profile, profile_of
from meshproof.report.runs import read_run


@pytest.fixture
def report(sample: Path) -> dict:
    write_report(sample)
    return json.loads((sample / "report.json").read_text())


def test_published_schema_is_that_of_the_models() -> None:
    published = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(published)
    assert published == schema(), "write schema() to report/schema/report-v1.json, or raise the version"


def test_report_keeps_to_the_schema(report: dict) -> None:
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(report)


@pytest.mark.parametrize("spoil", [{"result": "fine"}, {"extra": 1}, {"profiles": [{"name": "core"}]}])
def test_schema_refuses_another_report(report: dict, spoil: dict) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(report | spoil)


def test_profiles_have_their_own_result_and_statistics(report: dict) -> None:
    profiles = {profile["name"]: profile for profile in report["profiles"]}
    assert list(profiles) == ["core", "extended", "observability", "canary"]
    assert profiles["core"]["result"] == "failure"
    assert profiles["core"]["statistics"] == {"passed": 3, "failed": 2, "skipped": 0}
    assert profiles["extended"]["result"] == "partial"
    assert profiles["observability"]["result"] == "success"
    assert profiles["canary"]["statistics"] == {"passed": 2, "failed": 0, "skipped": 1}
    assert report["result"] == "failure"
    assert report["statistics"] == {"passed": 7, "failed": 2, "skipped": 2}


def test_what_failed_or_was_not_proven_has_its_reason(report: dict) -> None:
    core, extended = report["profiles"][:2]
    assert [check["verdict"] for check in core["failedChecks"]] == ["VIOLATE", "INVALID"]
    assert core["failedChecks"][0]["reason"].startswith("plaintext was answered")
    assert "no port of the host is mapped" in extended["unprovenChecks"][0]["reason"]


def test_profile_in_the_results_goes_before_the_table(sample: Path) -> None:
    path = sample / "results.json"
    content = json.loads(path.read_text())
    content["checks"][0]["profile"] = "extended"
    path.write_text(json.dumps(content))
    report = conformance(read_run(sample), "tox")
    assert content["checks"][0]["check"] in report.profiles[1].succeeded_checks


@pytest.mark.parametrize(
    ("check", "profile"),
    [
        ("suites/test_mtls.py::test_x[a]", Profile.CORE),
        ("suites/test_apps.py::test_volume_is_bound", Profile.CORE),
        ("suites/test_apps.py::test_bad_input_is_a_4xx_with_a_reason[cut short]", Profile.EXTENDED),
        ("suites/test_log_exclusion.py::test_x", Profile.OBSERVABILITY),
        ("suites/test_split.py::test_x", Profile.CANARY),
        ("nonsense", Profile.CORE),
    ],
)
def test_profile_of_a_check(check: str, profile: Profile) -> None:
    assert profile_of(check) is profile
