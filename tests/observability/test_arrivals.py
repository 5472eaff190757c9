"""Marked requests are waited for, and what did not come is told."""

from __future__ import annotations

from dataclasses import replace

from hand_made_traces import journey

from meshproof.observability.arrivals import Settled, arrivals
from meshproof.observability.marks import Batch

BATCH = Batch("abc")


def marked(number, mark):
    """The spans of the journey as another trace with a mark."""
    trace_id = f"{number:032x}"
    spans = journey(trace_id=trace_id)
    attributes = {**spans[1].attributes, "http.url": f"http://gateway/speak?meshproof={mark}"}
    return [replace(spans[1], attributes=attributes), *(span for key, span in spans.items() if key != 1)]


class Growing:
    """A backend that finds more with every question; gives up after `patience` of them."""

    def __init__(self, *answers, patience=5):
        self.answers = list(answers)
        self.patience = patience
        self.asked = []

    def spans(self, query, *, until, what):
        self.asked.append(query)
        for _ in range(self.patience):
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if until(answer):
                break
        return answer


def test_traces_are_waited_for_until_they_are_whole():
    one, two = marked(1, "abcn0"), marked(2, "abcn1")
    backend = Growing([], one[:1], [one[0], two[0]], [one[0], two[0]], [*one, *two])
    found = arrivals(backend, BATCH, ["abcn0", "abcn1"], whole=lambda _, trace: len(trace.spans) == 8)
    assert {mark: len(trace.spans) for mark, trace in found.one_each(["abcn0", "abcn1"]).items()} == {
        "abcn0": 8,
        "abcn1": 8,
    }
    assert backend.asked == [BATCH.query, f"trace_id:({1:032x} OR 1 OR {2:032x} OR 2)"]
    assert found.unlike_one(["abcn0", "abcn1"]) == []


def test_a_request_without_a_trace_and_one_with_two_are_told():
    spans = [*marked(1, "abcn0"), *marked(2, "abcn0")]
    found = arrivals(Growing(spans), BATCH, ["abcn0", "abcn1"], whole=lambda *_: True)
    assert found.unlike_one(["abcn0", "abcn1"]) == ["abcn0: 2 traces", "abcn1: no traces"]
    assert found.one_each(["abcn0", "abcn1"]) == {}


def test_nothing_found_is_no_question_for_the_rest():
    backend = Growing([])
    found = arrivals(backend, BATCH, ["abcn0"], whole=lambda *_: True)
    assert (found.spans, found.unlike_one(["abcn0"])) == ((), ["abcn0: no traces"])
    assert backend.asked == [BATCH.query]


def test_each_mark_has_the_moment_when_it_was_first_found():
    one, two = marked(1, "abcn0"), marked(2, "abcn1")
    moments = iter([10.0, 11.0, 12.0])
    backend = Growing([], one, [*one, *two])
    found = arrivals(backend, BATCH, ["abcn0", "abcn1"], whole=lambda *_: True, clock=lambda: next(moments))
    assert found.found == {"abcn0": 11.0, "abcn1": 12.0}


def test_an_answer_settles_when_the_sentinel_is_there_and_nothing_is_added():
    now = [0.0]
    settled = Settled(BATCH, {"abcn1"}, quiet=1.0, clock=lambda: now[0])
    one, two = marked(1, "abcn0"), marked(2, "abcn1")
    steps = [(2.0, one), (4.0, one), (5.0, [*one, *two]), (5.5, [*one, *two]), (6.0, [*one, *two])]
    seen = []
    for moment, answer in steps:
        now[0] = moment
        seen.append(settled(answer))
    assert seen == [False, False, False, False, True]
