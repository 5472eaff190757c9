"""The one way to wait: for a state to come (`eventually`), or for a state to stay (`consistently`)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from meshproof.errors import MeshproofError, UsageError

__all__ = ["StateLost", "StateNotReached", "consistently", "eventually"]

T = TypeVar("T")


class StateNotReached(MeshproofError):
    """A state did not come in time. `last` is the last value or error that a look gave."""

    def __init__(self, what: str, *, attempts: int, elapsed: float, last: object, progress: str = "") -> None:
        self.what = what
        self.attempts = attempts
        self.elapsed = elapsed
        self.last = last
        looks = "1 look" if attempts == 1 else f"{attempts} looks"
        super().__init__(f"{what}: not so after {elapsed:.1f} s and {looks}{progress}", seen=_shown(last))


class StateLost(MeshproofError):
    """A state that had to stay did not. `last` is the value or error of the look that saw it."""

    def __init__(self, what: str, *, attempts: int, elapsed: float, last: object) -> None:
        self.what = what
        self.attempts = attempts
        self.elapsed = elapsed
        self.last = last
        super().__init__(f"{what}: no longer so at look {attempts}, after {elapsed:.1f} s", seen=_shown(last))


def eventually(
    check: Callable[[], T],
    *,
    timeout: float,
    what: str,
    every: float = 0.25,
    successes: int = 1,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Look until `check` gives a truthy value `successes` times in a row, and return the last of them.

    A falsy value, an AssertionError and a MeshproofError mean: not yet. A UsageError is raised at once: waiting
    does not mend bad input. There is always one look, and one more at the very end of `timeout` (seconds).

    Raises StateNotReached, which tells `what` was waited for, the looks taken and what the last one gave.
    """
    began = clock()
    attempts = held = 0
    at_the_end = timeout <= 0
    while True:
        attempts += 1
        last: object
        try:
            value = check()
        except UsageError:
            raise
        except (AssertionError, MeshproofError) as error:
            last, held = error, 0
        else:
            last = value
            held = held + 1 if value else 0
            if held >= successes:
                return value
        elapsed = clock() - began
        if at_the_end or elapsed >= timeout:
            progress = f" (held {held} of {successes} times in a row)" if held else ""
            cause = last if isinstance(last, BaseException) else None
            raise StateNotReached(what, attempts=attempts, elapsed=elapsed, last=last, progress=progress) from cause
        # Not left to the clock: the sum of the sleeps may fall short of the timeout by a rounding error.
        at_the_end = elapsed + every >= timeout
        sleep(min(every, timeout - elapsed))


def consistently(
    check: Callable[[], T],
    *,
    seconds: float,
    what: str,
    every: float = 0.25,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Look for `seconds`, at the start and at the end included; return the last value.

    What happens between two looks is not seen. An InvalidMeasurement and every other MeshproofError pass through:
    a look that could not be taken says nothing about the state.

    Raises StateLost at the first falsy value or AssertionError.
    """
    began = clock()
    attempts = 0
    at_the_end = seconds <= 0
    while True:
        attempts += 1
        try:
            value = check()
        except AssertionError as error:
            raise StateLost(what, attempts=attempts, elapsed=clock() - began, last=error) from error
        elapsed = clock() - began
        if not value:
            raise StateLost(what, attempts=attempts, elapsed=elapsed, last=value)
        if at_the_end or elapsed >= seconds:
            return value
        at_the_end = elapsed + every >= seconds
        sleep(min(every, seconds - elapsed))


def _shown(last: object) -> str:
    if isinstance(last, MeshproofError):
        return str(last)
    if isinstance(last, BaseException):
        return f"{type(last).__name__}: {last}".strip().removesuffix(":")
    text = repr(last)
    return text if len(text) <= 500 else text[:500] + " ..."
