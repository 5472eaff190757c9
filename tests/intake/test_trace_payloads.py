"""Trace payloads of both forms, end to end: what the agent sends is what the official client reads."""

from __future__ import annotations

import gzip
import zlib

import pytest
import zstandard
from datadog_api_client.v2.api.spans_api import SpansApi
from intake_payloads import span, table_form, text_form
from intake_server import Intake

from meshproof.intake.rejections import Rejected
from meshproof.intake.rows import EventRows
from meshproof.intake.traces import check_traces, decode_traces
from meshproof.intake.wire import message

FORMS = pytest.mark.parametrize("form", [text_form, table_form])


def found(intake: Intake, query: str) -> list:
    with intake.api() as client:
        return SpansApi(client).list_spans_get(filter_query=query, page_limit=100).data


@FORMS
def test_both_forms_give_the_same_span(intake, mark, form):
    body = form(span(meta={"mark": mark}), container_tags="kube_namespace:apps,pod_name:goapi-1")
    assert intake.http.post("/api/v0.2/traces", content=body).status_code == 202
    (read,) = found(intake, f"@mark:{mark}")
    attributes = read.attributes
    assert attributes.service == "goapi.apps"
    assert attributes.resource_name == "goapi.apps.svc.cluster.local:80/*"
    assert attributes.trace_id == "11112222333344445555666677778888"
    assert (attributes.span_id, attributes.parent_id) == ("7", "3")
    assert (attributes.env, attributes.host, attributes.type) == ("test", "node-1", "web")
    assert {"kube_namespace:apps", "pod_name:goapi-1"} <= set(attributes.tags)
    assert attributes.custom["http"]["status_code"] == "200"
    assert attributes.custom["process_id"] == 17
    assert attributes.custom["duration"] == 12_000_000


@FORMS
def test_a_name_below_one_that_has_a_value_stays_whole(intake, mark, form):
    intake.http.post("/api/v0.2/traces", content=form(span(meta={"mark": mark})))
    custom = found(intake, f"@mark:{mark}")[0].attributes.custom
    assert custom["upstream_cluster"] == "inbound|8080||"
    assert custom["upstream_cluster.name"] == "inbound|8080||;"


def test_the_upper_half_of_the_trace_id_holds_for_the_whole_chunk(intake, mark):
    spans = [span(span_id=number, meta={"mark": mark}) for number in (1, 2)]
    intake.http.post("/api/v0.2/traces", content=text_form(*spans))
    assert {read.attributes.trace_id for read in found(intake, f"@mark:{mark}")} == {"11112222333344445555666677778888"}


@FORMS
@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body, wbits=-15)),
        ("zstd", zstandard.compress),
        ("zstd", lambda body: zstandard.ZstdCompressor(write_content_size=False).compress(body)),
    ],
)
def test_every_encoding_is_read(intake, mark, form, encoding, compress):
    body = compress(form(span(meta={"mark": mark})))
    answer = intake.http.post("/api/v0.2/traces", content=body, headers={"Content-Encoding": encoding})
    assert answer.status_code == 202
    assert len(found(intake, f"@mark:{mark}")) == 1


@FORMS
def test_a_truncated_payload_is_refused(form):
    body = form(span())
    with pytest.raises(Rejected, match="malformed"):
        check_traces(body[:-3], 100)


@FORMS
def test_spans_are_counted_and_bounded(form):
    body = form(*[span(span_id=number) for number in range(5)])
    assert check_traces(body, 5) == 5
    with pytest.raises(Rejected, match="too_large"):
        check_traces(body, 4)


def test_a_reference_outside_of_the_table_is_counted_and_empty():
    rows = EventRows()
    chunk = message("IdxTraceChunk")(trace_id=b"\1" * 16, spans=[message("IdxSpan")(service_ref=9).SerializeToString()])
    tracer = message("IdxTracerPayload")(strings=[""], chunks=[chunk.SerializeToString()])
    agent = message("AgentPayload")(idx_tracer_payloads=[tracer.SerializeToString()])
    decode_traces(agent.SerializeToString(), 1, rows)
    assert rows.bad_attributes == 1
    assert rows.fixed[0][8] == ""


def test_an_error_is_read_as_status_error(intake, mark):
    intake.http.post("/api/v0.2/traces", content=table_form(span(error=1, meta={"mark": mark})))
    assert found(intake, f"@mark:{mark} status:error")[0].attributes.attributes["status"] == "error"
    assert found(intake, f"@mark:{mark} -status:error") == []
