"""What spans say is compared with what is so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hand_made_traces import WAY, journey, trace_of

from meshproof.observability.facts import (
    named_version,
    status,
    subset,
    wrong_environment,
    wrong_resource,
    wrong_status,
)
from meshproof.observability.hops import hops, told


def with_attributes(number, **attributes):
    span = journey()[number]
    return replace(span, attributes={**span.attributes, **attributes})


def test_a_good_journey_tells_the_truth():
    facts = {
        "resource": wrong_resource,
        "status": lambda _, span: wrong_status(span, 200),
        "environment": lambda _, span: wrong_environment(span, "meshproof"),
    }
    assert told(trace_of(journey()), WAY, facts) == []


@pytest.mark.parametrize("value", ["503", 503.0])
def test_a_status_is_read_as_text_and_as_number(value):
    assert status(with_attributes(7, **{"http.status_code": value})) == "503"


def test_a_wrong_status_and_an_error_that_is_not_marked_are_told():
    failed = with_attributes(7, **{"http.status_code": "503"})
    assert wrong_status(failed, 200) == "503, not 200"
    assert wrong_status(failed, 503) == "503 and no error"
    assert wrong_status(replace(failed, error=True), 503) is None
    assert wrong_status(replace(journey()[7], error=True), 200) == "200 and an error"
    assert wrong_status(replace(journey()[7], attributes={}), 200) == "no status, not 200"


@pytest.mark.parametrize(
    "resource", ["ingress", "egress goapi", "goapi.other.svc.cluster.local:80/*", "text-to-speech-vs:80/*"]
)
def test_a_resource_that_is_not_the_next_apps_is_told(resource):
    hop = hops(trace_of(journey()), WAY)[1]
    assert wrong_resource(hop, replace(hop.outgoing[0], resource=resource)) == f"{resource!r}, which is not goapi's"


def test_another_environment_is_told():
    assert wrong_environment(journey()[7], "meshproof") is None
    assert wrong_environment(replace(journey()[7], env="none"), "meshproof") == "'none', not 'meshproof'"


def test_the_version_stands_in_the_route_and_in_the_apps_span():
    spans = journey()
    assert (subset(spans[2]), subset(spans[6]), subset(spans[8])) == ("v1", "", "")
    assert named_version(spans[4]) is None
    assert named_version(with_attributes(4, version="v1")) == "v1"
    assert named_version(replace(spans[4], tags=frozenset({"version:v2", "env:meshproof"}))) == "v2"
