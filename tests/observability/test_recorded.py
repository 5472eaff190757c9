"""Payloads of Datadog's own trace-agent, through a running intake and read back, judged like any other trace."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from meshproof.intake.backend import Backend
from meshproof.intake.server import IntakeSettings, running
from meshproof.observability.durations import misplaced
from meshproof.observability.flame import flame_graph
from meshproof.observability.hops import Stop, pairs_missing
from meshproof.observability.marks import Batch
from meshproof.observability.traces import assemble, missing_parts, trace_query, twice

DATA = Path(__file__).parent.parent / "intake" / "data"
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
# Both spans were sent as one service's.
WAY = [Stop.sidecar("goapi"), Stop.sidecar("goapi")]


@pytest.fixture(params=["table-traces.gz", "text-traces.gz"])
def read(request, tmp_path):
    """A search in an intake that was sent the recorded trace as often as asked for."""
    settings = IntakeSettings(folder=tmp_path / "intake", port=0)
    with running(settings) as url:
        backend = Backend.of_intake(url, settings.key)
        body = gzip.decompress((DATA / request.param).read_bytes())

        def search(query, times=1):
            for _ in range(times):
                answer = httpx.post(f"{url}/api/v0.2/traces", content=body, headers={"DD-API-KEY": settings.key})
                answer.raise_for_status()
            return backend.spans(query, SINCE)

        yield search
        backend.close()


def test_the_recorded_trace_is_whole_and_a_pair(read):
    (trace,) = assemble(read("")).values()
    assert missing_parts(trace) == []
    assert pairs_missing(trace, WAY) == []
    assert misplaced(trace) == []
    assert flame_graph(trace).count("<g>") == 2


def test_a_trace_is_found_by_the_lower_half_of_its_id_and_by_all_of_it(read):
    (span, _) = read("")
    assert len(read(trace_query([span.trace_id]), times=0)) == 2
    assert len(read(trace_query([str(0x5555666677778888)]), times=0)) == 2
    assert read(trace_query(["1"]), times=0) == []


def test_what_the_agent_sends_again_is_told(read):
    assert len(twice(read("", times=2))) == 2


def test_a_search_by_mark_is_understood(read):
    (span, _) = read("")
    mark = str(span.attributes["http.url"]).rpartition("/")[2]
    assert len(read(f"@http.url:*{mark}*", times=0)) == 2
    assert read(Batch("0123456789ab").query, times=0) == []
