"""The query language on logs and spans, and what it refuses by name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intake_payloads import log_line, span, text_form

from meshproof.intake.language import Exact, Not, Or, Range, Term, Wildcard, parse
from meshproof.intake.logs import Log
from meshproof.intake.matching import log_matcher
from meshproof.intake.rejections import Rejected

LINES = {
    "ok": {
        "message": "GET /books answered in time",
        "service": "goapi",
        "http": {"status_code": 200, "url": "/books"},
        "ddtags": "kube_namespace:apps,pod_name:goapi-1",
        "words": "a(b) c:d",
    },
    "slow": {
        "message": "GET /books/slowly answered late",
        "service": "goapi",
        "http": {"status_code": "204", "url": "/books/slowly?x=1"},
        "ddtags": "kube_namespace:apps-2,pod_name:goapi-2",
    },
    "broken": {
        "message": "panic: out of memory",
        "service": "speech",
        "status": "error",
        "http": {"status_code": 503, "url": "/speech"},
        "ddtags": "kube_namespace:apps",
        "100%": "true_value",
    },
}

# Query -> the lines that match.
CASES = {
    "": "ok slow broken",
    "*": "ok slow broken",
    "answered": "ok slow",
    "ANSWERED": "ok slow",
    "answer": "",
    "answer*": "ok slow",
    '"answered late"': "slow",
    "panic late": "",
    "panic OR late": "slow broken",
    "service:goapi -late": "ok",
    "NOT service:goapi": "broken",
    "!service:goapi": "broken",
    "service:(goapi OR speech)": "ok slow broken",
    "-service:(goapi OR speech)": "",
    "service:go*": "ok slow",
    "service:s?eech": "broken",
    "service:goapi AND (late OR panic)": "slow",
    "status:error": "broken",
    "status:(info)": "ok slow",
    "kube_namespace:apps": "ok broken",
    "kube_namespace:apps*": "ok slow broken",
    "-kube_namespace:apps": "slow",
    "pod_name:*": "ok slow",
    "-pod_name:*": "broken",
    "@http.status_code:200": "ok",
    "@http.status_code:204": "slow",
    "@http.status_code:[200 TO 299]": "ok slow",
    "@http.status_code:{200 TO 503}": "slow",
    "@http.status_code:[204 TO *]": "slow broken",
    "@http.status_code:>204": "broken",
    "@http.status_code:>=204": "slow broken",
    "@http.status_code:<204": "ok",
    "-@http.status_code:[200 TO 299]": "broken",
    "@http.url:/books": "ok",
    "@http.url:*slow*": "slow",
    '@http.url:"/books/slowly?x=1"': "slow",
    r"@http.url:\/books\/slowly\?x=1": "slow",
    "@http.url:(/books OR /speech)": "ok broken",
    "@never.seen:1": "",
    "-@never.seen:1": "ok slow broken",
    r"@words:a\(b\)\ c\:d": "ok",
    r"@100%:true_value": "broken",
    "@100%:true_v%": "",
    "@100%:trueXvalue": "",
}

REFUSED = {
    "/re.*/": "regular expression",
    "late~2": "fuzzy",
    "late^2": "boost",
    "CIDR(@ip, 10.0.0.0/8)": "CIDR",
    "@http.url:[a TO b]": "not a number",
    "@http.url:>x": "not a number",
    "*:panic": "attribute name",
    "service:(a AND b OR c)": "AND and OR together",
    "@a:": "no value",
    "(service:goapi": "missing",
    "service:goapi)": "unexpected",
    '"open': "unclosed",
    "AND": "nothing on one side",
    "(" * 60 + "a" + ")" * 60: "deeply",
}


@pytest.fixture(scope="module")
def lines(intake):
    body = [log_line(line["message"], **{**line, "case": "language", "label": label}) for label, line in LINES.items()]
    assert intake.http.post("/api/v2/logs", json=body).status_code == 202


def labels(intake, query):
    narrowed = f"({query}) @case:language" if query else "@case:language"
    answer = intake.http.get("/api/v2/logs/events", params={"filter[query]": narrowed, "sort": "timestamp"})
    assert answer.status_code == 200, answer.text
    return {log["attributes"]["attributes"]["label"] for log in answer.json()["data"]}


@pytest.mark.parametrize("query", CASES)
def test_a_query_finds_exactly_its_lines(intake, lines, query):
    assert labels(intake, query) == set(CASES[query].split())


@pytest.mark.parametrize("query", CASES)
def test_the_filter_of_a_pipeline_matches_the_same_lines(query):
    matches = log_matcher(query)
    matching = {label for label, line in LINES.items() if matches(Log(log_line(line["message"], **line), 0))}
    assert matching == set(CASES[query].split())


@pytest.mark.parametrize("query", REFUSED)
def test_what_is_not_supported_is_a_400_that_names_it(intake, query):
    answer = intake.http.get("/api/v2/logs/events", params={"filter[query]": query})
    assert answer.status_code == 400
    assert REFUSED[query] in answer.json()["errors"][0]


@pytest.mark.parametrize(
    "query",
    [
        "trace_id:11112222333344445555666677778888",
        f"trace_id:{0x5555666677778888}",
        "span_id:7 parent_id:3",
        "operation_name:envoy.proxy",
        "resource_name:goapi.*",
        "type:web env:test host:node-1",
        "@duration:>10ms @duration:<=12000000",
        "@process_id:17",
        r"@guid\:x-request-id:9e1b",
        "status:ok -status:error",
        "kube_namespace:apps",
    ],
)
def test_spans_are_found_by_every_field(intake, query):
    intake.http.post(
        "/api/v0.2/traces", content=text_form(span(service="fields"), container_tags="kube_namespace:apps")
    )
    answer = intake.http.get("/api/v2/spans/events", params={"filter[query]": f"service:fields {query}"})
    assert answer.json()["data"]


def test_a_tree():
    node = parse("-a:b OR @c:[1 TO 2}")
    assert node == Or((Not(Term("a", Exact("b"))), Term("@c", Range(1, 2, True, False))))
    assert parse(r"a:x\*y*") == Term("a", Wildcard(("x*y", "*")))


@given(st.text(alphabet=st.sampled_from(' ()[]{}":*?-!\\/~^<>=@#ab1ANDORTO\0é'), max_size=40))
@settings(max_examples=150)
def test_any_text_is_parsed_or_refused(text):
    try:
        parse(text)
    except Rejected as refused:
        assert refused.status == 400
