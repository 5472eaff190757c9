"""Products are made in the order of their inputs, and only when they are missing."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event

import pytest

from meshproof.bed.images.plan import Made, Plan, Product, carry_out
from meshproof.timeline import State, Step, Timeline


class Yard:
    """A plan whose products write down that they were made."""

    def __init__(self, *there: str) -> None:
        self.there = set(there)
        self.made: list[str] = []
        self.plan = Plan()

    def add(self, name: str, *after: str) -> None:
        def make(inputs: Mapping[str, Made], _: Step) -> Made:
            assert set(inputs) == set(after)
            self.made.append(name)
            return f"new {name}"

        self.plan.add(Product(name, after, lambda: f"old {name}" if name in self.there else None, make))

    def run(self, *targets: str, timeline: Timeline | None = None) -> dict[str, Made]:
        return carry_out(*self.plan.missing(targets), timeline or Timeline())


def test_inputs_are_made_first() -> None:
    yard = Yard()
    yard.add("node", "root", "kubernetes")
    yard.add("root")
    yard.add("kubernetes")
    yard.run("node")
    assert yard.made[-1] == "node"
    assert sorted(yard.made) == ["kubernetes", "node", "root"]


def test_nothing_is_made_when_the_target_is_there() -> None:
    yard = Yard("node")
    yard.add("root")
    yard.add("node", "root")
    assert yard.run("node") == {"node": "old node"}
    assert yard.made == []


def test_lost_target_is_made_from_inputs_that_are_there() -> None:
    yard = Yard("kubernetes")
    yard.add("kubernetes")
    yard.add("node", "kubernetes")
    assert yard.run("node") == {"kubernetes": "old kubernetes", "node": "new node"}
    assert yard.made == ["node"]


def test_shared_input_is_made_once() -> None:
    yard = Yard()
    yard.add("root")
    yard.add("a", "root")
    yard.add("b", "root")
    yard.run("a", "b")
    assert yard.made.count("root") == 1


def test_steps_are_announced_with_what_they_wait_for() -> None:
    yard = Yard("kubernetes")
    yard.add("root")
    yard.add("kubernetes")
    yard.add("node", "root", "kubernetes")
    timeline = Timeline()
    yard.run("node", timeline=timeline)
    assert {span.name: span.after for span in timeline.spans} == {"root": (), "node": ("root",)}


def test_failure_is_raised_and_nothing_is_built_on_it() -> None:
    yard = Yard()

    def fail(_: Mapping[str, Made], __: Step) -> Made:
        raise ValueError("no such module")

    yard.plan.add(Product("root", (), lambda: None, fail))
    yard.add("node", "root")
    timeline = Timeline()
    with pytest.raises(ValueError, match="no such module"):
        yard.run("node", timeline=timeline)
    assert yard.made == []
    assert {span.name: span.state for span in timeline.spans} == {"root": State.FAILED, "node": State.WAITING}


def test_independent_products_are_made_side_by_side() -> None:
    begun = {name: Event() for name in ("a", "b")}

    def meet(me: str, other: str) -> Product:
        def make(_: Mapping[str, Made], __: Step) -> Made:
            begun[me].set()
            assert begun[other].wait(10)
            return me

        return Product(me, (), lambda: None, make)

    plan = Plan()
    plan.add(meet("a", "b"))
    plan.add(meet("b", "a"))
    assert set(carry_out(*plan.missing(["a", "b"]), Timeline())) == {"a", "b"}
