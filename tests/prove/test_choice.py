"""Mutants of anybody's folder, checked against the suites before anything is created."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshproof.errors import UsageError
from meshproof.prove.choice import NIGHTLY, SHIPPED, chosen, to_prove
from meshproof.prove.matrix import without_mutant

TESTS = ["suites/test_x.py::test_a[one]", "suites/test_x.py::test_a[two]", "suites/test_x.py::test_b"]
GOOD: dict[str, Any] = {
    "breaks": "Nothing is as it was.",
    "property": "mtls",
    "steps": [{"delete": {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "namespace": "y"}}],
    "fails": [{"test": "test_x.py::test_a", "because": "plaintext"}],
}


def folder_of(folder: Path, **mutants: dict[str, Any]) -> str:
    folder.mkdir(exist_ok=True)
    for name, content in mutants.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return str(folder)


def test_mutants_of_several_folders_in_the_order_in_which_to_try_them(tmp_path: Path) -> None:
    mine = folder_of(tmp_path / "mine", late={**GOOD, "order": 90}, early={**GOOD, "order": 1})
    yours = folder_of(tmp_path / "yours", middle=GOOD)
    assert [it.name for it in chosen([mine, yours], [], TESTS)] == ["early", "middle", "late"]
    assert [it.name for it in chosen([mine, yours], ["late"], TESTS)] == ["late"]


@pytest.mark.parametrize(
    ("change", "where", "remedy"),
    [
        ({"fails": [{"test": "test_x.py::test_aa", "because": "z"}]}, "fails.0.test", "test_x.py::test_a"),
        ({"fails": [{"test": "test_x.py::test_a[three]", "because": "z"}]}, "fails.0.test", "test_a[two]"),
        ({"green": ["test_x.py::test_b", "test_z.py::nobody"]}, "green.1", "--list"),
    ],
)
def test_a_test_that_the_suites_do_not_have_is_told_by_file_and_field(
    tmp_path: Path, change: dict[str, Any], where: str, remedy: str
) -> None:
    mine = folder_of(tmp_path / "mine", wrong={**GOOD, **change})
    with pytest.raises(UsageError, match="the suites have no such test") as refused:
        chosen([mine], [], TESTS)
    assert f"wrong.yaml, {where}" in refused.value.problem
    assert remedy in str(refused.value.remedy)
    assert refused.value.seen


def test_our_mutants_leave_no_test_out_and_anybody_elses_may() -> None:
    night = "suites/nightly/test_n.py::test_c"
    assert to_prove([], [*TESTS, night]) == to_prove([SHIPPED], [*TESTS, night]) == TESTS
    assert to_prove([NIGHTLY, "mine"], [*TESTS, night]) == [night]
    assert to_prove([SHIPPED, NIGHTLY], [*TESTS, night]) == [*TESTS, night]
    assert to_prove(["mine"], [*TESTS, night]) == []


def test_folders_and_names_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        chosen([str(tmp_path / "nowhere")], [], TESTS)
    with pytest.raises(UsageError, match="there is no mutant in"):
        chosen([folder_of(tmp_path / "empty")], [], TESTS)
    mine, yours = folder_of(tmp_path / "mine", one=GOOD), folder_of(tmp_path / "yours", one=GOOD)
    with pytest.raises(UsageError, match="no mutant two") as refused:
        chosen([mine], ["two"], TESTS)
    assert "one" in str(refused.value.remedy)
    with pytest.raises(UsageError, match="two mutants one"):
        chosen([mine, yours], [], TESTS)


def test_a_test_without_a_mutant_is_found(tmp_path: Path) -> None:
    mutants = chosen([folder_of(tmp_path / "mine", one=GOOD)], [], TESTS)
    assert without_mutant(mutants, TESTS) == ["test_x.py::test_b"]
    assert without_mutant([], TESTS) == ["test_x.py::test_a", "test_x.py::test_b"]


def prove(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_STATE_HOME": str(home), "DOCKER_HOST": "unix:///nowhere.sock", "COLUMNS": "200"}
    argv = [sys.executable, "-m", "meshproof.cli", "prove", *words]
    return subprocess.run(argv, env=environment, cwd=home, capture_output=True, text=True, check=False)


def test_the_list_needs_no_cluster(tmp_path: Path) -> None:
    ended = prove(tmp_path, "--list")
    assert ended.returncode == 0, ended.stderr
    assert "mtls-port-exception: One port of one workload accepts plaintext." in ended.stdout
    assert "unproven, since none of them makes them fail" in ended.stdout


def test_a_wrong_folder_ends_with_code_two_before_anything_is_created(tmp_path: Path) -> None:
    ended = prove(tmp_path, "--mutants", "nowhere")
    assert ended.returncode == 2
    assert "there is no folder nowhere" in ended.stderr and "what to do" in ended.stderr
    assert "Traceback" not in ended.stderr
    folder_of(tmp_path / "mine", wrong={**GOOD, "fails": []})
    ended = prove(tmp_path, "--mutants", "mine", "--list")
    assert ended.returncode == 2
    assert "mine/wrong.yaml, fails" in ended.stderr
