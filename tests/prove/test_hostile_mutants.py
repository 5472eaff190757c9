"""Any file is a mutant, or a person is told which file it is, where, what was seen, and what to do."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from meshproof.errors import UsageError
from meshproof.files import fixtures_folder
from meshproof.prove.changes import touched
from meshproof.prove.mutants import filled, load_mutants

SHIPPED = [yaml.safe_load(path.read_text()) for path in sorted((fixtures_folder() / "mutants").glob("*.yaml"))]
SCALARS = (
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=4)),
    *(st.dates(), st.datetimes()),
)
KEYS = st.sampled_from(["apiVersion", "kind", "metadata", "name", "steps", "test", "because", "fails"]) | st.text(
    max_size=5
)
ANYTHING = st.recursive(
    st.one_of(*SCALARS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.integers(), inner, max_size=4),
    max_leaves=10,
)
unhurried = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))


def read(text: str | bytes) -> None:
    """Load a file with this content: it is refused in words, or can be worked with."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hostile.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
        try:
            (mutant,) = load_mutants(path.parent)
        except UsageError as error:
            assert "hostile.yaml" in error.problem
            assert error.seen is not None and error.remedy, "neither what was seen nor what to do"
            return
    assert filled(mutant, {"node": "n"}).tests == mutant.tests
    assert all(reference.kind for reference in touched(mutant))


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(way for key, item in inner for way in places(item, (*at, key)))]


@unhurried
@given(st.binary(max_size=60) | st.text(max_size=60))
@example("a: &a [*a]")
@example("? [1, 2]\n: 3")
@example("breaks: 2026-13-45")
@example("[" * 2000)
@example("&a {steps: [*a]}")
def test_any_bytes_at_all(text: str | bytes) -> None:
    read(text)


@unhurried
@given(ANYTHING)
def test_any_yaml(document: Any) -> None:
    read(yaml.dump(document, allow_unicode=True))


@unhurried
@given(st.data())
def test_a_good_mutant_with_one_value_replaced_removed_or_added(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(SHIPPED)))
    *way, last = data.draw(st.sampled_from([way for way in places(document) if way]))
    holder = document
    for key in way:
        holder = holder[key]
    change = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if change == "remove":
        del holder[last]
    elif change == "add" and isinstance(holder, dict):
        holder[data.draw(KEYS)] = data.draw(ANYTHING)
    else:
        holder[last] = data.draw(ANYTHING)
    read(yaml.dump(document, allow_unicode=True))


@pytest.mark.parametrize("name", ["Capitals", "with space", "-dash"])
def test_a_file_whose_name_cannot_be_a_mutants_is_told_to_be_renamed(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(SHIPPED[0]))
    with pytest.raises(UsageError, match="rename the file") as refused:
        load_mutants(tmp_path)
    assert f"{name}.yaml" in str(refused.value)
