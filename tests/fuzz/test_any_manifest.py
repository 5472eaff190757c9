"""Any file: manifests that can be sent to the API, or an error that names file, place, value and remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from junk import LINE, TEXT, value

from meshproof.errors import UsageError
from meshproof.manifests import load_manifests, parse_manifests
from meshproof.stack.overlay import lay_over

WHOLE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
PIECES = st.sampled_from(
    [
        *(
            "- ",
            "? ",
            ": ",
            "{",
            "}",
            "[",
            "]",
            "&a ",
            "*a ",
            "<<: ",
            "---\n",
            "...\n",
            "\n",
            "  ",
            "|\n",
            "!!set ",
            "'",
        ),
        *(
            "!!binary x",
            "!!int x",
            "!!float ''",
            "!!timestamp x",
            "!!python/object:a ",
            "2026-13-45",
            "0b2",
            "1:99:9",
            "\t",
        ),
        *("apiVersion: v1\n", "kind: List\n", "kind: Pod\n", "metadata:\n  name: a\n", "items:\n", ".nan", "%YAML 9\n"),
    ]
)


def outcome(text: str) -> None:
    try:
        found = parse_manifests(text, origin="some/file.yaml")
    except UsageError as error:
        assert error.problem.startswith("some/file.yaml") and error.seen and error.remedy
        assert len(str(error)) < 1500
    else:
        json.dumps(found, allow_nan=False)
        assert all(isinstance(item["metadata"]["name"], str) and item["kind"] for item in found)


@given(text=st.lists(PIECES | TEXT, max_size=12).map("".join))
@example("[" * 3000)
@example("a: 2026-13-45")
@example("!!int x")
@example("!!float ''")
@example("!!bool x")
@example("!!timestamp x")
@example("x: " + "9" * 5000)
@example("kind: List\nitems: 5")
@example("\ud800")
def test_any_text(text: str) -> None:
    outcome(text)


@given(
    document=st.fixed_dictionaries({}, optional={**dict.fromkeys(("apiVersion", "kind", "metadata", "spec"), value())})
)
def test_any_object(document: object) -> None:
    outcome(yaml.safe_dump(document))


@given(field=st.sampled_from(["apiVersion", "kind", "name", "namespace", "labels", "items"]), junk=value())
def test_one_wrong_field(field: str, junk: object) -> None:
    metadata = {"name": "a", **({field: junk} if field in ("name", "namespace", "labels") else {})}
    document = {**WHOLE, "kind": "List" if field == "items" else "ConfigMap", field: junk, "metadata": metadata}
    outcome(yaml.safe_dump(document))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: List\nitems: 5", ["document 1 (List), items", "seen: 5"]),
        ("---\n---\nkind: Pod", ["document 2 has no apiVersion", "seen: None"]),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: 5}", ["document 1 (Pod) has no metadata.name", "seen: 5"]),
        ("apiVersion: v1\nkind: List\nitems: [{kind: Pod}]", ["document 1, item 1 has no apiVersion"]),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: &s {of: *s}", ["holds itself"]),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {1: a}", ["spec: a name is no text", "seen: 1"]),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {a: [.inf]}", ["spec.a.0: this is no number"]),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {a: !!binary QQ==}",
            ["spec.a: there is no such value", "b'A'"],
        ),
    ],
)
def test_place_is_named(text: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as told:
        parse_manifests(text, origin="it")
    assert [word for word in words if word not in str(told.value)] == []


def test_aliases_of_aliases_end() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(UsageError, match="grows beyond bounds"):
        parse_manifests("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n" + "\n".join(lines), origin="it")


def test_dates_stay_texts_as_with_kubectl() -> None:
    metadata = "{name: a, creationTimestamp: 2026-11-21T10:00:00Z, labels: {day: 2026-13-45}}"
    text = f"apiVersion: v1\nkind: Pod\nmetadata: {metadata}"
    (found,) = parse_manifests(text, origin="it")
    assert found["metadata"]["creationTimestamp"] == "2026-11-21T10:00:00Z"
    assert found["metadata"]["labels"] == {"day": "2026-13-45"}


@pytest.mark.parametrize("content", [b"\xff\xfe", "kind: é".encode("latin-1"), b"\0", b"a: \xed\xa0\x80"])
def test_file_that_is_no_text(folder: Path, content: bytes) -> None:
    (folder / "m.yaml").write_bytes(content)
    with pytest.raises(UsageError, match=r"m\.yaml") as told:
        load_manifests([folder / "m.yaml"])
    assert told.value.seen and told.value.remedy


@pytest.mark.parametrize("path", ["gone.yaml", "empty", "a\0b", "x" * 300, "odd"])
def test_path_that_is_no_manifest(folder: Path, path: str) -> None:
    (folder / "empty").mkdir()
    (folder / "odd" / "folder.yaml").mkdir(parents=True)
    with pytest.raises(UsageError) as told:
        load_manifests([Path(path)])
    assert told.value.seen and path[:20].split("\0")[0] in str(told.value)


@given(patch=value(), base=value(), name=LINE)
@example([{"name": [1]}], [{"name": "a"}], "a")
def test_any_overlay(patch: object, base: object, name: str) -> None:
    (merged,) = lay_over([{**WHOLE, "spec": base}], [{**WHOLE, "spec": patch}])
    assert merged["metadata"] == {"name": "a"}
    with pytest.raises(UsageError, match="nothing to lie over"):
        lay_over([WHOLE], [{**WHOLE, "metadata": {"name": f"b{name}"}}])
