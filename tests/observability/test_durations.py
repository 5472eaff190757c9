"""Times fit into each other, with a stated lenience."""

from __future__ import annotations

import pytest
from hand_made_traces import BEGAN, MS, journey, trace_of, with_changed

from meshproof.observability.durations import Lenience, misplaced, outlasting


def test_a_good_journey_fits():
    trace = trace_of(journey())
    assert misplaced(trace) == []
    assert outlasting(trace, 0.095) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"start": BEGAN - 30 * MS}, "begins 34.0 ms before its parent"),
        ({"duration": 200 * MS}, "ends 120.0 ms after its parent"),
        ({"duration": 0}, "lasts 0 ns"),
    ],
)
def test_a_child_outside_of_its_parent_is_told(changes, words):
    findings = misplaced(with_changed(5, **changes), Lenience(start=0.002, end=0.1))
    assert [words in finding for finding in findings].count(True) == 1, findings


def test_a_late_end_within_the_lenience_passes():
    trace = with_changed(4, duration=92 * MS)
    assert misplaced(trace, Lenience(end=0.010)) == []
    assert misplaced(trace, Lenience(end=0.005)) != []


def test_a_span_that_outlasts_the_client_is_told():
    (finding,) = outlasting(trace_of(journey()), 0.0875, Lenience(end=0.002))
    assert "lasts 90.0 ms, and the client had its answer after 87.5 ms" in finding
