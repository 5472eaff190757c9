"""The figures of services: from the agent's statistics as a running intake tells them, and from spans."""

from __future__ import annotations

import gzip
import math
import struct
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hand_made_traces import MS, journey
from hypothesis import example, given
from hypothesis import strategies as st

from meshproof.errors import InvalidMeasurement
from meshproof.intake.backend import Backend
from meshproof.intake.server import IntakeSettings, running
from meshproof.observability.services import (
    Count,
    Figures,
    Window,
    counted,
    figures_of,
    quantile_range,
    wrong_counts,
    wrong_quantiles,
)

RECORDED = Path(__file__).parent.parent / "intake" / "data" / "stats.gz"
BUCKET_OF_RECORDED = 1_795_261_150
GOAPI = Count("goapi.apps", "envoy.proxy", 200)


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    """An intake that was sent what the trace-agent computed from one request of 4.989 ms."""
    settings = IntakeSettings(folder=tmp_path_factory.mktemp("intake"), port=0)
    with running(settings) as url:
        body = gzip.decompress(RECORDED.read_bytes())
        httpx.post(f"{url}/api/v0.2/stats", content=body, headers={"DD-API-KEY": settings.key}).raise_for_status()
        backend = Backend.of_intake(url, settings.key)
        yield backend
        backend.close()


def spans_of(*milliseconds):
    return [replace(journey()[7], span_id=str(number), duration=ms * MS) for number, ms in enumerate(milliseconds)]


def test_what_the_agent_counted_is_read(backend):
    figures = counted(backend, GOAPI, Window(BUCKET_OF_RECORDED, BUCKET_OF_RECORDED + 30))
    assert (figures.hits, figures.errors, figures.error_rate) == (1, 0, 0)
    assert figures.quantiles == pytest.approx((0.004989, 0.004989), rel=0.011)


@pytest.mark.parametrize(
    ("count", "start"),
    [
        (GOAPI, BUCKET_OF_RECORDED + 10),
        (GOAPI, BUCKET_OF_RECORDED - 30),
        (replace(GOAPI, status=405), BUCKET_OF_RECORDED),
        (replace(GOAPI, service="text-to-speech.apps"), BUCKET_OF_RECORDED),
    ],
)
def test_other_buckets_statuses_and_services_are_not_counted(backend, count, start):
    assert counted(backend, count, Window(start, start + 30)) == Figures(0, 0, (None, None))


@pytest.mark.parametrize(("began", "ended"), [(1_795_261_155.0, 1_795_261_161.5), (1_795_261_199.9, 1_795_261_200.0)])
def test_a_window_is_whole_buckets_in_one_interval(began, ended):
    window = Window.around(began, ended)
    assert window.start % 10 == window.end % 10 == 0
    assert window.start <= began and ended < window.end
    first = window.start // window.interval
    assert (window.end - 1) // window.interval == first


@pytest.mark.parametrize(("share", "ends"), [(0.5, (3, 4)), (0.99, (4, 5)), (0, (1, 2))])
def test_a_quantile_lies_between_two_values(share, ends):
    assert quantile_range([5, 4, 3, 2, 1], share) == ends


def test_counts_that_differ_are_told():
    assert wrong_counts(GOAPI, 30, 0, Figures(30, 0)) == []
    assert wrong_counts(GOAPI, 30, 0, Figures(29, 2)) == [
        "goapi.apps envoy.proxy 200: 29 requests were counted, 30 were sent",
        "goapi.apps envoy.proxy 200: 2 errors were counted, 0 requests failed",
    ]


def test_quantiles_may_be_off_by_the_sketchs_error_only():
    spans = spans_of(*range(1, 101))
    exact = figures_of(spans)
    assert exact.quantiles == pytest.approx((0.0505, 0.0995))
    assert wrong_quantiles(GOAPI, spans, exact) == []
    off = replace(exact, quantiles=(0.0505 * 1.03, None))
    first, second = wrong_quantiles(GOAPI, spans, off)
    assert first.startswith("goapi.apps envoy.proxy 200: p50 is 52.015 ms, by the spans ")
    assert second == "goapi.apps envoy.proxy 200: there is no p99"


def sketched(nanoseconds: int) -> float:
    """What the agent's sketch gives back of a duration, in seconds: cut to 9 digits, then the middle of its bucket."""
    (bits,) = struct.unpack("<Q", struct.pack("<d", nanoseconds))
    (cut,) = struct.unpack("<d", struct.pack("<Q", bits & 0xFFFFF80000000000))
    gamma = 1.01 / 0.99
    bucket = math.ceil(math.log(cut) / math.log(gamma))
    return 2 * gamma**bucket / (gamma + 1) / 1e9


@given(st.integers(min_value=1_000, max_value=10**11))
@example(1_069_055)  # cut by almost 2^-9, to the upper end of its bucket
def test_whatever_the_sketch_makes_of_a_duration_is_no_finding(nanoseconds):
    spans = [replace(spans_of(1)[0], duration=nanoseconds)]
    assert wrong_quantiles(GOAPI, spans, Figures(1, 0, (sketched(nanoseconds),) * 2)) == []


def test_without_spans_there_is_nothing_to_compare_with():
    with pytest.raises(InvalidMeasurement, match="no span arrived"):
        wrong_quantiles(GOAPI, [], Figures(1, 0, (1.0, 1.0)))


def test_errors_of_spans_are_counted():
    failed = [replace(span, error=True) for span in spans_of(1, 2)]
    assert figures_of([*failed, *spans_of(3, 4)]).error_rate == 0.5
    assert figures_of([]).error_rate is None
