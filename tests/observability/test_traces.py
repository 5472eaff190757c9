"""Traces are put together, and what is missing is told."""

from __future__ import annotations

from hand_made_traces import TRACE, journey, trace_of, with_changed, without

from meshproof.observability.traces import assemble, missing_parts, trace_key, trace_query, twice


def test_a_whole_trace_has_nothing_missing():
    trace = trace_of(journey())
    assert missing_parts(trace) == []
    assert [span.span_id for span in trace.roots] == ["1"]
    assert [span.span_id for span in trace.ancestors(trace.by_id["8"])] == ["7", "6", "5", "4", "3", "2", "1"]
    assert [span.span_id for span in trace.descendants(trace.by_id["6"])] == ["7", "8"]


def test_a_lost_span_in_the_middle_is_told_by_its_child():
    (finding,) = missing_parts(without(6))
    assert finding.startswith("the trace is broken above goapi.apps envoy.proxy")
    assert "its parent 6 did not arrive" in finding


def test_a_lost_first_span_is_told():
    findings = missing_parts(without(1))
    assert findings[0] == "the trace has no beginning: no span of it is without a parent"
    assert "parent 1 did not arrive" in findings[1]


def test_a_second_beginning_is_told():
    (finding,) = missing_parts(with_changed(6, parent_id="0"))
    assert finding.startswith("the trace begins 2 times: ")


def test_a_trace_that_the_client_began_starts_below_the_clients_span():
    trace = with_changed(1, parent_id="99")
    assert missing_parts(trace, entry_parent="99") == []
    assert missing_parts(trace) != []


def test_spans_of_two_traces_are_two_traces():
    spans = journey()
    other = journey(trace_id="77")
    assert set(assemble([*spans.values(), *other.values()])) == {trace_key(TRACE), 77}


def test_long_and_short_spellings_of_an_id_are_the_same_trace():
    assert trace_key(TRACE) == trace_key(str(0x5555666677778888)) == 0x5555666677778888


def test_the_query_asks_for_both_spellings_once():
    assert trace_query([TRACE, TRACE]) == f"trace_id:({TRACE} OR {0x5555666677778888})"
    assert trace_query(["12"]) == "trace_id:(12)"


def test_a_span_that_arrived_twice_is_told_and_is_once_in_its_trace():
    spans = [*journey().values(), journey()[4]]
    (finding,) = twice(spans)
    assert finding.startswith("text-to-speech http.request (GET /speak, span 4) of trace")
    assert finding.endswith("arrived 2 times")
    assert len(assemble(spans)[trace_key(TRACE)].spans) == 8
    assert twice(journey().values()) == []


def test_spans_in_a_circle_do_not_hang():
    spans = journey()
    trace = with_changed(1, parent_id="8")
    assert len(list(trace.ancestors(trace.by_id["1"]))) == len(spans) - 1
    assert len(list(trace.descendants(trace.by_id["1"]))) >= len(spans) - 1
