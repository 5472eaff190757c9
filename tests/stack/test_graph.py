from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Event

import pytest

from meshproof.errors import MeshproofError, UsageError
from meshproof.stack import Component, ComponentFailed, Graph, Hopeless, NotYet, StackContext
from meshproof.timeline import State, Step, Timeline


class Part(Component):
    """A component of functions."""

    def __init__(
        self,
        name: str,
        *after: str,
        install: Callable[[], object] = lambda: None,
        ready: Callable[[], object] = lambda: None,
        diagnose: Callable[[], dict[str, str]] = dict,
        limit: float = 5,
    ) -> None:
        self.name = name
        self.after = frozenset(after)
        self._install, self._ready, self._diagnose, self._limit = install, ready, diagnose, limit

    def limit(self, context: StackContext) -> float:
        return self._limit

    def install(self, context: StackContext, step: Step) -> None:
        self._install()

    def ready(self, context: StackContext) -> None:
        self._ready()

    def summary(self, context: StackContext) -> str:
        return f"{self.name} stands"

    def diagnose(self, context: StackContext) -> dict[str, str]:
        return self._diagnose()


def install(*parts: Part, timeline: Timeline | None = None) -> Timeline:
    timeline = timeline or Timeline()
    Graph(parts).install(None, timeline)  # type: ignore[arg-type]  # these parts look at no context
    return timeline


def failing(*parts: Part) -> tuple[ComponentFailed, dict[str, State]]:
    timeline = Timeline()
    with pytest.raises(ComponentFailed) as caught:
        install(*parts, timeline=timeline)
    return caught.value, {span.name: span.state for span in timeline.spans}


def not_yet(text: str = "a pod") -> Callable[[], object]:
    def look() -> None:
        raise NotYet(text)

    return look


def raising(error: Exception) -> Callable[[], object]:
    def act() -> None:
        raise error

    return act


def test_what_is_needed_is_ready_before_what_needs_it_is_begun() -> None:
    happened: list[str] = []
    first = Part("first", ready=lambda: happened.append("first ready"))
    second = Part("second", "first", install=lambda: happened.append("second begun"))
    install(second, first)
    assert happened == ["first ready", "second begun"]


def test_independent_components_are_installed_at_the_same_time() -> None:
    both = Barrier(2, timeout=10)
    install(Part("one", install=both.wait), Part("two", install=both.wait))


def test_a_component_begins_as_soon_as_what_it_needs_is_ready() -> None:
    third_begun = Event()
    slow = Part("slow", install=lambda: third_begun.wait(10))
    install(slow, Part("quick"), Part("third", "quick", install=third_begun.set))
    assert third_begun.is_set()


def test_readiness_is_looked_for_again_until_it_is_there() -> None:
    looks: list[int] = []

    def at_the_third_look() -> None:
        looks.append(1)
        if len(looks) < 3:
            raise NotYet("three looks")

    install(Part("slow", ready=at_the_third_look))
    assert len(looks) == 3


def test_each_step_is_on_the_timeline_with_its_dependencies_and_what_is_there() -> None:
    spans = {span.name: span for span in install(Part("a"), Part("b", "a")).spans}
    assert spans["b"].after == ("a",)
    assert (spans["b"].state, spans["b"].note) == (State.DONE, "b stands")


def test_the_failed_component_is_named_with_what_was_waited_for() -> None:
    error, states = failing(Part("web", ready=not_yet("pod web-1: 0 of 1 ready"), limit=0))
    assert error.component == "web"
    assert "pod web-1: 0 of 1 ready" in error.problem
    assert states == {"web": State.FAILED}


def test_the_evidence_is_in_the_message() -> None:
    error, _ = failing(Part("web", ready=not_yet(), limit=0, diagnose=lambda: {"pods": "web-1: Pending"}))
    assert error.evidence == {"pods": "web-1: Pending"}
    assert "web-1: Pending" in str(error)


def test_what_depends_on_a_failed_component_is_not_begun() -> None:
    begun: list[str] = []
    failed = Part("failed", install=raising(MeshproofError("no")))
    _, states = failing(failed, Part("next", "failed", install=lambda: begun.append("next")))
    assert begun == []
    assert states["next"] is State.SKIPPED


def test_what_waits_beside_a_failed_component_is_stopped() -> None:
    waiting = Event()

    def look() -> None:
        waiting.set()
        raise NotYet("for ever")

    failed = Part("failed", install=lambda: waiting.wait(10), ready=raising(Hopeless("never")))
    _, states = failing(failed, Part("waits", ready=look, limit=600))
    assert states == {"failed": State.FAILED, "waits": State.SKIPPED}


def test_an_installation_that_runs_comes_to_its_end() -> None:
    diagnosed, ended = Event(), Event()

    def diagnose() -> dict[str, str]:
        diagnosed.set()
        return {}

    def slow() -> None:
        assert diagnosed.wait(10)
        ended.set()

    failing(Part("slow", install=slow), Part("failed", install=raising(MeshproofError("no")), diagnose=diagnose))
    assert ended.is_set()


def test_hopeless_is_not_waited_out() -> None:
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        raise Hopeless("the image is not there")

    error, _ = failing(Part("web", ready=look, limit=600))
    assert len(looks) == 1
    assert "the image is not there" in error.problem


def test_a_second_failure_is_named_too() -> None:
    both = Barrier(2, timeout=10)

    def fail() -> None:
        both.wait()
        raise MeshproofError("no")

    error, _ = failing(Part("one", install=fail), Part("two", install=fail))
    assert {error.component, *error.others} == {"one", "two"}


def test_a_usage_error_stays_one() -> None:
    with pytest.raises(UsageError, match="taint"):
        install(Part("web", ready=raising(UsageError("remove the taint"))))


def test_a_mistake_in_a_component_is_told_in_one_line_and_kept_as_the_cause() -> None:
    error, _ = failing(Part("web", install=lambda: {}["image"]))
    assert error.problem == "component web failed: KeyError: 'image'"
    assert isinstance(error.__cause__, KeyError)


def test_a_diagnosis_that_fails_does_not_hide_the_failure() -> None:
    part = Part("web", ready=not_yet(), limit=0, diagnose=raising(MeshproofError("gone")))  # type: ignore[arg-type]
    error, _ = failing(part)
    assert error.component == "web"
    assert "gone" in str(error)


def test_an_unknown_dependency_is_refused() -> None:
    with pytest.raises(UsageError, match="web depends on") as caught:
        Graph([Part("web", "database")])
    assert caught.value.seen == "database"


def test_a_circle_is_refused() -> None:
    with pytest.raises(UsageError, match="circle"):
        Graph([Part("a", "b"), Part("b", "a")])


def test_two_components_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="same name"):
        Graph([Part("a"), Part("a")])
