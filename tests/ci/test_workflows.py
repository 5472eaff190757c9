"""The workflows are what they say: versions that exist, pinned actions, no more rights than needed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshproof.bed.images import load_catalogue
from meshproof.settings import Settings

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ROWS = json.loads((ROOT / ".github" / "versions.json").read_text())


def jobs(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text())["jobs"])


def gitlab() -> dict[str, Any]:
    text = (ROOT / "docs" / "gitlab-ci.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    return dict(yaml.safe_load(block))


def pinned(folder: str, module: str) -> str:
    found = re.search(
        rf"^\s*{re.escape(module)} v(\S+)", (ROOT / "images" / folder / "go.mod").read_text(), re.MULTILINE
    )
    assert found, (folder, module)
    return found[1]


def test_the_versions_are_ones_that_can_be_had() -> None:
    metallb = {pinned(folder, "go.universe.tf/metallb") for folder in ("metallb", "metallb-0.13.12")}
    istio = load_catalogue(ROOT).image("istio-pilot").tag
    for row in ROWS:
        assert row["kubernetes"] == pinned("kubernetes", "k8s.io/kubernetes")
        assert row["istio"] == istio
        assert row["metallb"] in metallb


def test_one_row_is_the_newest_and_one_has_the_oldest_metallb() -> None:
    newest, oldest = ROWS
    assert (newest["kubernetes"], newest["metallb"]) == (Settings().kubernetes, Settings().metallb)
    assert oldest["metallb"] == "0.13.12"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_to_commits_and_jobs_end(path: Path) -> None:
    for name, job in jobs(path).items():
        assert job["timeout-minutes"] <= 120, name
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False
    assert all(re.search(r"# v\d+\.\d+\.\d+$", line) for line in path.read_text().splitlines() if "uses:" in line)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_and_nothing_else(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in jobs(path).values())


@pytest.mark.parametrize(("path", "job"), [("nightly.yml", "nightly"), ("gate.yml", "e2e")])
def test_verdict_and_reports_are_kept_also_on_failure(path: str, job: str) -> None:
    steps = {step.get("name"): step for step in jobs(ROOT / ".github" / "workflows" / path)[job]["steps"]}
    assert steps["Verdict"]["if"] == "always()"
    assert "GITHUB_STEP_SUMMARY" in steps["Verdict"]["run"]
    assert steps["Reports and JUnit"]["if"] == "always()"
    assert steps["Reports and JUnit"]["with"]["path"] == "reports/"


def test_nothing_that_comes_from_outside_is_put_into_a_script() -> None:
    for path in WORKFLOWS:
        for job in jobs(path).values():
            assert not [step for step in job["steps"] if "${{" in step.get("run", "")]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actionlint_finds_nothing(path: Path) -> None:
    program = shutil.which("actionlint")
    if program is None:
        pytest.skip("actionlint is not on PATH; gate.yml runs it")
    ended = subprocess.run([program, "-shellcheck=", path], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_gitlab_has_the_same_rows() -> None:
    rows = gitlab()["nightly"]["parallel"]["matrix"]
    wanted = [(row["name"], row["kubernetes"], row["metallb"]) for row in ROWS]
    assert [(row["ROW"], row["MESHPROOF_KUBERNETES"], row["MESHPROOF_METALLB"]) for row in rows] == wanted


def test_gitlab_runs_the_same_environments_and_keeps_reports_on_failure() -> None:
    content = gitlab()
    for name in ("e2e", "nightly"):
        assert any(f"-e {name}" in line for line in content[name]["script"])
        assert content[name]["artifacts"]["when"] == "always"
        assert content[name]["artifacts"]["reports"]["junit"] == "reports/junit.xml"
    assert {job["stage"] for job in content.values() if isinstance(job, dict) and "script" in job} == set(
        content["stages"]
    )


@pytest.mark.parametrize("text", [(ROOT / "docs" / "gitlab-ci.md").read_text(), *(it.read_text() for it in WORKFLOWS)])
def test_the_environments_and_commands_exist(text: str) -> None:
    known = set(re.findall(r"^\[testenv:(\w+)\]", (ROOT / "tox.ini").read_text(), re.MULTILINE))
    used = {name for names in re.findall(r"bootstrap\.py -e ([\w,]+)", text) for name in names.split(",")}
    assert used and used <= known
