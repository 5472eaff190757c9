"""From how pytest ended a test to a verdict with a reason."""

from __future__ import annotations

from itertools import takewhile

import pytest

from meshproof.errors import Inconclusive, InvalidMeasurement, MeshproofError
from meshproof.kube import ClusterUnreachable
from meshproof.report.results import Ending, LeftOut
from meshproof.verdict import Verdict
from meshproof.waiting import StateLost, StateNotReached

__all__ = ["promise_of", "reason_of", "verdict_of"]

_REASON_LINES = 12


def verdict_of(report: pytest.TestReport, error: BaseException | None) -> Ending:
    """The verdict for a test's report; `error` is what the test raised.

    A failed assertion and a state that did not come are violations. Anything else means that nothing was measured, and
    so does a state that could not be looked at in the end.
    """
    if report.skipped:
        return LeftOut.NOT_PROVEN
    if report.passed:
        return Verdict.CONFORM
    if report.when == "call" and isinstance(error, Inconclusive):
        return Verdict.INCONCLUSIVE
    if isinstance(error, StateNotReached) and isinstance(error.last, ClusterUnreachable):
        return Verdict.INVALID
    if report.when == "call" and isinstance(error, AssertionError | StateNotReached | StateLost):
        return Verdict.VIOLATE
    return Verdict.INVALID


def reason_of(report: pytest.TestReport, error: BaseException | None) -> str:
    """Why, in the words of the check: the assertion's message, the error's text, the skip's reason."""
    if report.passed:
        return ""
    if report.skipped:
        _, _, why = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, str(report.longrepr))
        return why.removeprefix("Skipped: ")
    text = str(error) if error is not None else report.longreprtext
    if error is not None and not isinstance(error, AssertionError | MeshproofError):
        text = f"{type(error).__name__}: {text}"
    if verdict_is_invalid(report, error) and not isinstance(error, InvalidMeasurement):
        text = f"INVALID: {text}"
    # pytest adds its own reading of the failed expression after the message.
    words = takewhile(lambda line: not line.startswith("assert "), text.splitlines())
    return "\n".join([*words][:_REASON_LINES]) or text


def verdict_is_invalid(report: pytest.TestReport, error: BaseException | None) -> bool:
    """Whether nothing was measured."""
    return verdict_of(report, error) is Verdict.INVALID


def promise_of(item: pytest.Item) -> str:
    """What the test promises: the first line of its docstring, or its name in words."""
    function = getattr(item, "function", None)
    text = (getattr(function, "__doc__", None) or "").strip()
    if text:
        return " ".join(text.split("\n\n")[0].split())
    return item.name.removeprefix("test_").replace("_", " ")
