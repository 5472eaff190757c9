"""Payloads of Datadog's own trace-agent core (pkg/trace v0.85.1), recorded on their way out and kept in data/.

It was sent one trace of two spans of Envoy in /v0.4/traces: once as it is by default (field 11 of AgentPayload), once
with the feature disable-convert-traces (field 5). The stats are those that it computed from the spans.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from meshproof.intake.rows import SPAN_COLUMNS, EventRows
from meshproof.intake.stats import stats_rows
from meshproof.intake.traces import check_traces, decode_traces

DATA = Path(__file__).parent / "data"


def recorded(name):
    return gzip.decompress((DATA / name).read_bytes())


@pytest.mark.parametrize("name", ["table-traces.gz", "text-traces.gz"])
def test_the_spans_are_those_that_were_sent(name):
    body, rows = recorded(name), EventRows()
    assert check_traces(body, 100) == 2
    decode_traces(body, 1, rows)
    first, second = (dict(zip(SPAN_COLUMNS, row, strict=True)) for row in rows.fixed)
    assert (first["trace_high"], first["trace_low"]) == (0x1111222233334444, 0x5555666677778888)
    assert (first["span_id"], first["parent_id"], second["span_id"], second["parent_id"]) == (11, 0, 12, 11)
    assert (first["duration"], second["duration"], second["start"] - first["start"]) == (4_989_000, 4_988_000, 1000)
    assert (first["error"], second["error"]) == (False, True)
    for span in (first, second):
        assert span["trace_high"] == first["trace_high"]
        assert (span["service"], span["name"], span["type"]) == ("goapi.apps", "envoy.proxy", "web")
        assert span["resource"] == "goapi.apps.svc.cluster.local:80/*"
        assert (span["env"], span["host"], span["priority"]) == ("test", "node-1", 1)
    by_row = {row: value for rows_of, value in rows.attributes["upstream_cluster"] for row in rows_of}
    assert by_row == {0: "outbound|80||goapi", 1: "inbound|8080||"}
    assert rows.attributes["http.status_code"] == [([0, 1], "200")]
    assert rows.attributes["process_id"][0][1] == 17.0
    assert rows.bad_attributes == 0


def test_the_stats_count_the_top_level_span_and_its_latency():
    metrics, sketches = stats_rows(recorded("stats.gz"), 100)
    figures = {row[1]: row[3] for row in metrics}
    assert figures["trace.envoy.proxy.hits"] == 1
    assert figures["trace.envoy.proxy.errors"] == 0
    assert figures["trace.envoy.proxy.duration"] == pytest.approx(0.004989)
    ((_, metric, _, tags, count, _, smallest, largest, _),) = sketches
    assert (metric, count) == ("trace.envoy.proxy", 1)
    assert ",service:goapi.apps," in tags
    assert smallest == largest == pytest.approx(0.004989, rel=0.01)
