"""Marked requests are found again by their mark."""

from __future__ import annotations

from hand_made_traces import journey, trace_of

from meshproof.observability.marks import Batch, first_seen, traces_by_mark


def marked(url):
    spans = journey()
    for number in (1, 3):
        spans[number].attributes["http.url"] = url
    return spans


def test_each_request_has_a_mark_of_its_own_and_keeps_its_options():
    batch = Batch("abc")
    requests = batch.requests("http://goapi/books", 2, headers={"a": "b"})
    assert [request.url for request in requests] == [
        "http://goapi/books?meshproof=abcn0",
        "http://goapi/books?meshproof=abcn1",
    ]
    assert all(request.headers == {"a": "b"} for request in requests)
    assert batch.query == "@http.url:*abcn*"


def test_a_mark_is_read_whole():
    batch = Batch("abc")
    spans = marked("http://goapi/books?meshproof=abcn12")
    assert batch.seen(spans.values()) == {"abcn12"}
    assert Batch("ab").seen(spans.values()) == frozenset()


def test_the_traces_of_a_mark_are_found():
    batch = Batch("abc")
    trace = trace_of(marked("http://goapi/books?x=1&meshproof=abcn0"))
    assert traces_by_mark(batch, [trace, trace_of(journey())]) == {"abcn0": [trace]}
    assert batch.trace_ids(trace.spans) == [trace.spans[0].trace_id]


def test_the_delay_is_from_the_answer_to_the_first_find():
    assert first_seen({"a": 10.0, "b": 11.0}, {"b": 14.0, "a": 12.5, "unknown": 1.0}) == [2.5, 3.0]
    assert first_seen({"a": 10.0}, {"a": 9.9}) == [0.0]
