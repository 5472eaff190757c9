from __future__ import annotations

from typing import Any

import pytest

from meshproof.errors import UsageError
from meshproof.stack import lay_over


def deployment(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def laid(base: dict[str, Any], overlay: dict[str, Any]) -> Any:
    (merged,) = lay_over([deployment(**base)], [deployment(**overlay)])
    return merged["spec"]


def test_fields_are_merged_into_one_another() -> None:
    assert laid({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}) == {"a": {"x": 1, "y": 3}}


def test_null_removes_a_field() -> None:
    assert laid({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": None}}) == {"b": {"d": 3}}


def test_null_inside_something_new_leaves_nothing() -> None:
    assert laid({}, {"a": {"b": None, "c": 1}}) == {"a": {"c": 1}}


def test_named_things_are_merged_by_name_and_keep_their_order() -> None:
    base = {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]}
    overlay = {"containers": [{"name": "b", "image": "b:2"}, {"name": "c", "image": "c:1"}]}
    assert laid(base, overlay)["containers"] == [
        {"name": "a", "image": "a:1"},
        {"name": "b", "image": "b:2"},
        {"name": "c", "image": "c:1"},
    ]


def test_other_lists_are_replaced() -> None:
    assert laid({"args": ["--one", "--two"]}, {"args": ["--three"]}) == {"args": ["--three"]}


def test_nothing_that_was_given_is_changed() -> None:
    base, overlay = deployment(a={"x": 1}), deployment(a={"y": {"z": 1}})
    (merged,) = lay_over([base], [overlay])
    merged["spec"]["a"]["y"]["z"] = 2
    assert (base, overlay) == (deployment(a={"x": 1}), deployment(a={"y": {"z": 1}}))


def test_an_overlay_with_nothing_under_it_is_refused() -> None:
    other = {**deployment(), "metadata": {"name": "wbe"}}
    with pytest.raises(UsageError, match="no Deployment wbe"):
        lay_over([deployment()], [other])


def test_a_named_thing_is_removed_where_the_overlay_says_so() -> None:
    base = {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    overlay = {"env": [{"name": "A", "$patch": "delete"}, {"name": "C", "$patch": "delete"}]}
    assert laid(base, overlay) == {"env": [{"name": "B", "value": "2"}]}
