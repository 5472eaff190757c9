"""Processors that make an attribute of others."""

from __future__ import annotations

from typing import Any

import pytest
from intake_payloads import log_line

from meshproof.intake.logs import Log
from meshproof.intake.matching import log_matcher
from meshproof.intake.pipelines import compile_pipelines
from meshproof.intake.rejections import Rejected


def processed(processor: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    log = Log({**log_line("text"), **attributes}, 0)
    before = set(log.attributes) - set(attributes)
    compile_pipelines([{"name": "p", "processors": [processor]}], log_matcher)(log)
    return {name: value for name, value in log.attributes.items() if name not in before}


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("took * 1000000", 5_000_000),
        ("(took + 1) / 4 - -2", 3.5),
        ("net.in + net.out", 30),
        ("@net.out - 20", 0),
    ],
)
def test_numbers_are_calculated(expression: str, result: float) -> None:
    processor = {"type": "arithmetic-processor", "expression": expression, "target": "result"}
    assert processed(processor, took="5", net={"in": 10, "out": 20})["result"] == result


@pytest.mark.parametrize("took", [None, "soon", {"ms": 5}])
def test_without_a_number_nothing_is_made(took: Any) -> None:
    processor = {"type": "arithmetic-processor", "expression": "took / 2", "target": "result"}
    assert "result" not in processed(processor, took=took)


def test_a_missing_number_counts_as_zero_where_that_is_asked_for() -> None:
    processor = {"type": "arithmetic-processor", "expression": "a + b", "target": "c", "is_replace_missing": True}
    assert processed(processor, a=1)["c"] == 1


def test_division_by_zero_makes_nothing() -> None:
    assert "c" not in processed({"type": "arithmetic-processor", "expression": "a / b", "target": "c"}, a=1, b=0)


@pytest.mark.parametrize("expression", ["a ** 2", "open('x')", "a +", "a if b else c", "'text'"])
def test_what_is_not_arithmetic_is_refused(expression: str) -> None:
    with pytest.raises(Rejected):
        processed({"type": "arithmetic-processor", "expression": expression, "target": "c"})


def test_the_first_category_that_fits_is_taken() -> None:
    categories = [
        {"name": "slow", "filter": {"query": "@took:>100"}},
        {"name": "any", "filter": {"query": "@took:*"}},
    ]
    processor = {"type": "category-processor", "target": "speed", "categories": categories}
    assert [processed(processor, took=took)["speed"] for took in (500, 5)] == ["slow", "any"]
    assert "speed" not in processed(processor)


def test_a_url_is_taken_apart() -> None:
    processor = {"type": "url-parser", "sources": ["missing", "url"], "target": "parts"}
    assert processed(processor, url="https://shop.example:8443/a/b?x=1")["parts"] == {
        "scheme": "https",
        "host": "shop.example",
        "port": 8443,
        "path": "/a/b",
        "queryString": {"x": "1"},
    }


@pytest.mark.parametrize("url", ["http://[broken", "http://x:port/"])
def test_what_is_no_url_is_left(url: str) -> None:
    assert "parts" not in processed({"type": "url-parser", "sources": ["url"], "target": "parts"}, url=url)
