"""Hops are pairs of proxies' spans, with the apps' own spans between them."""

from __future__ import annotations

import pytest
from hand_made_traces import WAY, journey, trace_of, with_changed, without

from meshproof.observability.hops import (
    Direction,
    Stop,
    app_spans_missing,
    direction,
    gateway_spans,
    pairs_missing,
    told,
)

GATEWAY, SPEECH, GOAPI = WAY


def test_a_good_journey_is_made_of_pairs():
    trace = trace_of(journey())
    assert pairs_missing(trace, WAY) == []
    assert app_spans_missing(trace, WAY) == []


@pytest.mark.parametrize(
    ("lost", "finding"),
    [
        (7, "the trace is broken between text-to-speech and goapi: goapi's sidecar has no receiving span"),
        (6, "the trace is broken between text-to-speech and goapi: "
            "text-to-speech's sidecar has no outgoing span for goapi"),
        (3, "the trace is broken between istio-ingressgateway and text-to-speech: "
            "text-to-speech's sidecar has no receiving span"),
        (1, "the gateway made 1 spans of one request, not 2"),
    ],
)  # fmt: skip
def test_a_lost_span_of_a_proxy_is_named(lost, finding):
    assert pairs_missing(without(lost), WAY)[0] == finding


def test_headers_that_are_not_passed_on_break_the_trace():
    spans = {number: span for number, span in journey().items() if number <= 5}
    assert pairs_missing(trace_of(spans), WAY) == [
        "the trace is broken between text-to-speech and goapi: text-to-speech's sidecar has no outgoing span for goapi"
    ]


def test_a_receiving_span_below_something_else_is_no_pair():
    (finding,) = pairs_missing(with_changed(7, parent_id="5"), WAY)
    assert finding.endswith("the receiving span of goapi's sidecar is not the child of the outgoing one")


def test_an_outgoing_span_beside_the_receiving_one_is_told():
    (finding,) = pairs_missing(with_changed(6, parent_id="2"), WAY)
    assert finding.endswith("the outgoing span of text-to-speech's sidecar is not below its receiving one")


def test_the_same_hop_twice_is_no_pair():
    spans = journey()
    again = {number + 10: span for number, span in journey().items() if number in (6, 7)}
    again[16] = type(again[16])(**{**vars(again[16]), "span_id": "16"})
    again[17] = type(again[17])(**{**vars(again[17]), "span_id": "17", "parent_id": "16"})
    (finding,) = pairs_missing(trace_of({**spans, **again}), WAY)
    assert finding == "the hop from text-to-speech to goapi is no pair: 2 outgoing and 2 receiving spans"


@pytest.mark.parametrize("gateway", [Stop.gateway("1.27.3"), Stop.gateway("1.31.0", by_bootstrap=True)])
def test_an_older_gateway_and_one_told_the_legacy_way_make_one_span(gateway):
    way = [gateway, SPEECH, GOAPI]
    assert gateway_spans("1.28.0") == 2
    assert pairs_missing(trace_of(journey()), way) == ["the gateway made 2 spans of one request, not 1"]
    spans = {number: span for number, span in journey().items() if number != 1}
    assert pairs_missing(trace_of(spans), way) == []


@pytest.mark.parametrize(
    ("silent", "finding"),
    [
        ((4, 5), "text-to-speech has no span of its own between the two spans of text-to-speech's sidecar"),
        ((8,), "goapi has no span of its own below the receiving span of goapi's sidecar: nothing is there"),
    ],
)
def test_an_app_without_spans_is_named(silent, finding):
    spans = {number: span for number, span in journey().items() if number not in silent}
    if 6 in spans and 4 in silent:
        spans[6] = type(spans[6])(**{**vars(spans[6]), "parent_id": "3"})
    trace = trace_of(spans)
    assert pairs_missing(trace, WAY) == []
    assert app_spans_missing(trace, WAY)[0].startswith(finding)


def test_an_app_that_is_not_traced_owes_no_span():
    way = [GATEWAY, SPEECH, Stop.sidecar("goapi", traced=False)]
    assert app_spans_missing(without(8), way) == []


def test_direction_comes_from_the_cluster_not_from_the_kind():
    spans = journey()
    spans[7].attributes["span.kind"] = "client"
    assert direction(spans[7]) is Direction.RECEIVING
    assert direction(spans[6]) is Direction.OUTGOING
    assert direction(spans[8]) is None


def test_what_spans_tell_is_compared_for_every_span_of_the_hops():
    trace = with_changed(7, attributes={"upstream_cluster": "inbound|8080||", "http.status_code": "503"})

    def status(hop, span):
        seen = span.attributes["http.status_code"]
        return None if seen == "200" else f"{seen}, not 200"

    (finding,) = told(trace, WAY, {"status": status})
    assert finding.startswith("the status of goapi.apps envoy.proxy")
    assert finding.endswith(" is 503, not 200")
