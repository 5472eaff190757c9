"""The flame graph is readable by machines and people, and the same for the same trace."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hand_made_traces import MS, journey, trace_of, with_changed, without

from meshproof.observability.flame import flame_graph, shares_of_time
from meshproof.observability.traces import Trace

SVG = "{http://www.w3.org/2000/svg}"


def bars(svg):
    """Each span's tooltip and rectangle."""
    groups = ET.fromstring(svg).findall(f"{SVG}g")
    return {group.findtext(f"{SVG}title"): group.find(f"{SVG}rect").attrib for group in groups}


def of_service(drawn, beginning):
    return next(rect for words, rect in drawn.items() if words.startswith(beginning))


def test_every_span_is_a_bar_as_wide_as_it_is_long():
    drawn = bars(flame_graph(trace_of(journey())))
    assert len(drawn) == 8
    whole = of_service(drawn, "istio-ingressgateway.istio-system\nenvoy.proxy\ntext-to-speech-vs")
    last = of_service(drawn, "goapi\n")
    assert float(last["width"]) / float(whole["width"]) == pytest.approx(12 / 90, rel=0.01)
    assert (float(last["x"]) - float(whole["x"])) / float(whole["width"]) == pytest.approx(11 / 90, rel=0.01)


def test_children_stand_below_their_parents_in_one_colour_a_service():
    drawn = bars(flame_graph(trace_of(journey())))
    heights = [float(rect["y"]) for rect in drawn.values()]
    assert heights == sorted(set(heights))
    assert len({rect["fill"] for rect in drawn.values()}) == 5


def test_spans_at_the_same_time_are_not_drawn_over_each_other():
    spans = journey()
    spans[9] = type(spans[8])(**{**vars(spans[8]), "span_id": "9", "duration": 5 * MS})
    drawn = bars(flame_graph(trace_of(spans)))
    goapi = [rect["y"] for words, rect in drawn.items() if words.startswith("goapi\n")]
    assert len(set(goapi)) == 2


def test_the_tooltip_tells_what_the_span_is():
    assert "goapi\nhttp.request\nGET /books\n12.0 ms, HTTP 200" in bars(flame_graph(trace_of(journey())))


def test_an_error_is_marked():
    drawn = bars(flame_graph(with_changed(8, error=True)))
    assert of_service(drawn, "goapi\n")["class"] == "error"
    assert [words for words in drawn if words.endswith(", error")] != []


def test_names_are_escaped_and_control_signs_do_not_spoil_the_file():
    drawn = bars(flame_graph(with_changed(8, resource='<script>alert("&")</script>\x00\x1b')))
    assert any('<script>alert("&")</script>��' in words for words in drawn)


def test_it_is_the_same_for_the_same_trace_in_any_order():
    spans = journey()
    backwards = dict(sorted(spans.items(), reverse=True))
    assert flame_graph(trace_of(spans)) == flame_graph(trace_of(backwards))


def test_what_lost_its_parent_is_drawn_too():
    drawn = bars(flame_graph(without(6)))
    assert len(drawn) == 7
    assert of_service(drawn, "goapi.apps")["class"] == "broken"


def test_spans_in_a_circle_and_no_spans_at_all_are_drawn():
    assert len(bars(flame_graph(with_changed(1, parent_id="8")))) == 8
    assert bars(flame_graph(Trace(7, ()))) == {}


def test_a_services_part_of_the_time_is_without_what_is_below():
    shares = shares_of_time(trace_of(journey()))
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["goapi"] == pytest.approx(12 / 90)
    assert shares["text-to-speech"] == pytest.approx((82 - 20 + 20 - 17) / 90)
