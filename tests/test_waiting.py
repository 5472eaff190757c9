from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from meshproof.errors import InvalidMeasurement, MeshproofError, UsageError
from meshproof.waiting import StateLost, StateNotReached, consistently, eventually


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sleeps: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def giving(*values: object) -> Callable[[], object]:
    """A check that gives the values one after the other, the last one for ever; exceptions are raised."""
    left: Iterator[object] = iter(values)
    current: list[object] = []

    def check() -> object:
        current[:] = [next(left, *current)] if current else [next(left)]
        if isinstance(current[0], Exception):
            raise current[0]
        return current[0]

    return check


def wait(check: Callable[[], object], time: Time, *, timeout: float = 1.0, successes: int = 1) -> object:
    return eventually(
        check, timeout=timeout, what="the door is open", successes=successes, clock=time.clock, sleep=time.sleep
    )


def stay(check: Callable[[], object], time: Time, *, seconds: float = 1.0) -> object:
    return consistently(check, seconds=seconds, what="the door is open", clock=time.clock, sleep=time.sleep)


def test_state_that_is_there_needs_no_sleep(time: Time) -> None:
    assert wait(giving("open"), time) == "open"
    assert time.sleeps == []


def test_state_that_comes(time: Time) -> None:
    assert wait(giving(None, 0, "open"), time) == "open"
    assert time.sleeps == [0.25, 0.25]


@pytest.mark.parametrize("error", [AssertionError("shut"), MeshproofError("shut"), InvalidMeasurement("shut")])
def test_error_means_not_yet(time: Time, error: Exception) -> None:
    assert wait(giving(error, "open"), time) == "open"


@pytest.mark.parametrize("error", [UsageError("no such door"), KeyError("door")])
def test_other_errors_end_the_waiting(time: Time, error: Exception) -> None:
    with pytest.raises(type(error)):
        wait(giving(error, "open"), time)


def test_state_that_does_not_come(time: Time) -> None:
    with pytest.raises(StateNotReached) as caught:
        wait(giving("", None), time)
    assert str(caught.value) == "the door is open: not so after 1.0 s and 5 looks\n  seen: None"
    assert (caught.value.attempts, caught.value.elapsed) == (5, 1.0)


def test_last_error_is_told(time: Time) -> None:
    with pytest.raises(StateNotReached, match=r"1\.0 s and 5 looks\n  seen: AssertionError: still shut") as caught:
        wait(giving(None, AssertionError("still shut")), time)
    assert isinstance(caught.value.__cause__, AssertionError)


def test_last_error_for_people_is_told_as_it_is(time: Time) -> None:
    with pytest.raises(StateNotReached, match="seen: the lock is stuck\n  what to do: oil it"):
        wait(giving(MeshproofError("the lock is stuck", remedy="oil it")), time)


def test_there_is_a_look_at_the_very_end(time: Time) -> None:
    with pytest.raises(StateNotReached):
        wait(giving(None), time, timeout=0.6)
    assert time.sleeps == pytest.approx([0.25, 0.25, 0.1])


def test_no_time_at_all_is_one_look(time: Time) -> None:
    assert wait(giving("open"), time, timeout=0) == "open"
    with pytest.raises(StateNotReached, match="1 look"):
        wait(giving(None), time, timeout=0)


def test_successes_have_to_follow_each_other(time: Time) -> None:
    assert wait(giving(1, 2, None, 4, 5, 6), time, timeout=9, successes=3) == 6


def test_error_breaks_the_row(time: Time) -> None:
    assert wait(giving(1, 2, AssertionError(), 4, 5, 6), time, timeout=9, successes=3) == 6


def test_row_that_is_too_short_is_told(time: Time) -> None:
    with pytest.raises(StateNotReached, match=r"held 2 of 3 times in a row"):
        wait(giving(None, None, None, 1, 2), time, successes=3)


def test_long_values_are_cut(time: Time) -> None:
    with pytest.raises(StateNotReached) as caught:
        wait(LongNothing, time)
    assert len(str(caught.value)) < 700


class LongNothing(str):
    """Falsy, and long when shown."""

    def __repr__(self) -> str:
        return "x" * 10_000


def test_state_that_stays(time: Time) -> None:
    assert stay(giving(1, 2, 3, 4, 5), time) == 5
    assert time.sleeps == [0.25] * 4


def test_state_that_goes(time: Time) -> None:
    with pytest.raises(StateLost, match=r"the door is open: no longer so at look 3, after 0\.5 s\n  seen: None"):
        stay(giving(1, 2, None), time)


def test_state_that_goes_with_an_assertion(time: Time) -> None:
    with pytest.raises(StateLost, match="seen: AssertionError: shut"):
        stay(giving(1, AssertionError("shut")), time)


@pytest.mark.parametrize("error", [InvalidMeasurement("blind"), MeshproofError("blind")])
def test_look_that_cannot_be_taken_is_not_a_lost_state(time: Time, error: Exception) -> None:
    with pytest.raises(type(error), match="blind"):
        stay(giving(1, error), time)
