"""Mutants are plain data, checked to the last field; and the ones that ship fit the suites that ship."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from small_mutants import a_mutant

from meshproof.errors import UsageError
from meshproof.files import data_root, fixtures_folder
from meshproof.prove.changes import touched
from meshproof.prove.mutants import Mutant, filled, load_mutants

SHIPPED = load_mutants(fixtures_folder() / "mutants")
NIGHTLY = load_mutants(fixtures_folder() / "mutants" / "nightly")
UNFORESEEN = load_mutants(fixtures_folder() / "unforeseen")
GOOD = {
    "breaks": "Nothing is as it was.",
    "property": "mtls",
    "steps": [{"delete": {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "namespace": "y"}}],
    "fails": [{"test": "test_mtls.py::test_a", "because": "plaintext"}],
}


def write(folder: Path, name: str, content: object) -> None:
    (folder / f"{name}.yaml").write_text(content if isinstance(content, str) else yaml.safe_dump(content))


def test_a_mutant_is_named_after_its_file(tmp_path: Path) -> None:
    write(tmp_path, "one", GOOD)
    write(tmp_path, "first", {**GOOD, "order": 1})
    assert [mutant.name for mutant in load_mutants(tmp_path)] == ["first", "one"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "cannot be read"),
        ("- a", "is not a mutant"),
        ({**GOOD, "colour": "red"}, "colour"),
        ({**GOOD, "property": "luck"}, "property"),
        ({**GOOD, "steps": []}, "steps"),
        ({**GOOD, "steps": [{}]}, "exactly one of"),
        ({**GOOD, "steps": [{**GOOD["steps"][0], "apply": []}]}, "exactly one of"),  # type: ignore[index]
        ({**GOOD, "steps": [{"apply": [{"kind": "Pod"}]}]}, "metadata.name"),
        ({**GOOD, "name": "another"}, "named after its file"),
        ({**GOOD, "steps": [{"delete": {"apiVersion": "v1", "name": "x"}}]}, "steps.0.delete.kind"),
        ({**GOOD, "steps": [{"apply": [{"apiVersion": "v1", "kind": "Pod", "metadata": None}]}]}, "metadata.name"),
        ({**GOOD, "steps": [{"overlay": {"apiVersion": "v1", "kind": 5, "metadata": {"name": "x"}}}]}, "texts: kind"),
        ({**GOOD, "steps": [{"faults": [{"path": "/"}]}]}, "either status or reset"),
        ("breaks: 2026-13-45", "cannot be read"),
        (
            {**GOOD, "fails": [{"test": "test_a.py::test_b", "because": "a{99999999999999999999}"}]},
            "regular expression",
        ),
        ({**GOOD, "fails": []}, "fails"),
        ({**GOOD, "fails": [{"test": "test_a", "because": "x"}]}, "fails.0.test"),
        ({**GOOD, "fails": [{"test": "test_a.py::test_b", "because": "("}]}, "not a regular expression"),
        ({**GOOD, "green": ["test_mtls.py::test_a"]}, "must fail and stay green"),
    ],
)
def test_a_bad_mutant_is_told_by_file_and_field(tmp_path: Path, content: object, message: str) -> None:
    write(tmp_path, "bad", content)
    with pytest.raises(UsageError, match=message) as refused:
        load_mutants(tmp_path)
    assert "bad.yaml" in str(refused.value)


def test_words_in_braces_are_filled_in_everywhere(tmp_path: Path) -> None:
    steps = [
        {"overlay": {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "{node}"}, "spec": {"a": None}}},
        {"run": {"namespace": "n", "labels": "a=b", "container": "c", "argv": ["ip", "{pool.last}"]}},
    ]
    write(tmp_path, "one", {**GOOD, "steps": steps})
    (mutant,) = load_mutants(tmp_path)
    overlay, run = filled(mutant, {"node": "worker-1", "pool.last": "10.0.0.9"}).steps
    assert overlay.overlay == {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "worker-1"},
        "spec": {"a": None},
    }
    assert run.run is not None
    assert run.run.argv == ["ip", "10.0.0.9"]


# --- the ones that ship


def suites() -> dict[str, list[str]]:
    """The test functions of each suite."""
    found: dict[str, list[str]] = {}
    folder = data_root() / "suites"
    for path in folder.rglob("test_*.py"):
        body = ast.parse(path.read_text()).body
        names = [node.name for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
        found[path.relative_to(folder).as_posix()] = names
    return found


@pytest.mark.parametrize("mutant", [*SHIPPED, *NIGHTLY, *UNFORESEEN], ids=lambda mutant: mutant.name)
def test_a_shipped_mutant_names_tests_that_there_are(mutant) -> None:
    known = suites()
    for test in mutant.tests:
        path, _, name = test.partition("::")
        assert name.partition("[")[0] in known.get(path, []), f"there is no {test}"
    assert mutant.breaks.endswith("."), "a sentence"
    assert mutant not in SHIPPED or mutant.name.startswith(mutant.area), "named after its property"


def test_all_cases_of_a_test_are_run_unless_only_those_that_are_named_are_to() -> None:
    mutant = a_mutant("m", {"test_x[one]": "y"}, green=("test_z",))
    assert [test.partition("::")[2] for test in mutant.tests] == ["test_x", "test_z"]
    named = mutant.model_copy(update={"only_named": True})
    assert [test.partition("::")[2] for test in named.tests] == ["test_x[one]", "test_z"]


def test_there_are_enough_mutants_and_no_two_are_alike() -> None:
    assert len(SHIPPED) >= 28
    steps = [mutant.model_dump_json(include={"steps"}) for mutant in SHIPPED]
    assert len(set(steps)) == len(steps)


def parts_of(mutant: Mutant) -> Iterator[set[str]]:
    """For each object that its steps name, the parts of the mesh of which one at least must be touched."""
    for step in mutant.steps:
        if step.faults is not None or step.spoils is not None:
            yield {"agents"}
        for pods in (step.end, step.gone, step.run):
            if pods is not None:
                yield {"agents"} if pods.namespace == "datadog" else {"nodes", "gateway"}
    for reference in touched(mutant):
        place = reference.namespace or reference.name
        if reference.kind == "PeerAuthentication" or reference.name == "stranger":
            yield {"mtls"}
            continue
        apps = {"goapi"} if "goapi" in reference.name else {"speech"} if "speech" in reference.name else set()
        yield {
            "datadog": {"agents"},
            "metallb-system": {"addresses"},
            "outside": {"outside"},
            "istio-system": {"gateway", "addresses"},
            "apps": apps or {"goapi", "speech", "client", "gateway"},
        }.get(place, {"nodes"})


@pytest.mark.parametrize("mutant", SHIPPED, ids=lambda mutant: mutant.name)
def test_what_a_shipped_mutant_says_that_it_touches_is_where_its_steps_are(mutant: Mutant) -> None:
    if mutant.touches is not None:
        for parts in parts_of(mutant):
            assert parts & {*mutant.touches}, f"touches {mutant.touches}, not one of {parts}"


def test_a_part_that_no_mesh_has_is_told(tmp_path: Path) -> None:
    write(tmp_path, "bad", {**GOOD, "touches": ["router"]})
    with pytest.raises(UsageError, match=r"touches\.0: Input should be 'nodes'"):
        load_mutants(tmp_path)
