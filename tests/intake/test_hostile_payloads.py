"""Damaged, huge and hostile payloads: refused with a 4xx, counted, and the intake goes on."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib

import msgpack
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from intake_payloads import frame, log_line, span, table_form, text_form
from intake_server import start

from meshproof.intake.bodies import expand
from meshproof.intake.index import Batch
from meshproof.intake.journal import Entry
from meshproof.intake.limits import Limits
from meshproof.intake.payloads import check, decode
from meshproof.intake.rejections import Rejected
from meshproof.intake.server import IntakeSettings
from meshproof.intake.wire import message
from meshproof.intake.write_face import KINDS

LIMITS = Limits(expanded=4 * 1024 * 1024, items=2000)
COMPRESS = {
    "gzip": lambda body: gzip.compress(body, mtime=0),
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
}


def valid_payloads() -> dict[str, bytes]:
    volume = message("Items5")(items=[message("Volume")().SerializeToString()]).SerializeToString()
    series = message("MetricSeries")(metric="m", points=[message("MetricPoint")(value=1).SerializeToString()])
    group = {"Service": "s", "Name": "n", "Hits": 1, "Errors": 0, "Duration": 5, "OkSummary": b""}
    bucket = {"Start": 10**18, "Duration": 10**10, "Stats": [group]}
    return {
        "traces": table_form(span(), span(span_id=8)) + text_form(span(), span(span_id=9)),
        "stats": msgpack.packb({"Stats": [{"Env": "e", "Stats": [bucket]}]}),
        "logs": json.dumps([log_line("a"), log_line('{"b": [1, {"c": null}]}')]).encode(),
        "series_v1": json.dumps({"series": [{"metric": "m", "points": [[1, 2]]}]}).encode(),
        "series_v2": message("MetricPayload")(series=[series.SerializeToString()]).SerializeToString(),
        "sketches": message("SketchPayload")(sketches=[b"\x0a\x01m\x3a\x02\x08\x05"]).SerializeToString(),
        "check_run": b'[{"check": "c"}]',
        "event": b'{"title": "t", "text": "x"}',
        "intake": b'{"events": {"k": [{"title": "t"}]}}',
        "metadata": b'{"hostname": "h"}',
        "frame": frame(51, zstandard.compress(volume), encoding=2),
        "profile": b'--b\r\nContent-Disposition: form-data; name="event"\r\n\r\n{}\r\n--b--\r\n',
        "event_platform": b"anything",
        "flare": b"anything",
        "tracer": msgpack.packb([[{**span(), "trace_id": 5}]]),
    }


PAYLOADS = valid_payloads()


def content_type(kind):
    return "multipart/form-data; boundary=b" if kind == "profile" else ""


def passes(kind, body, encoding=""):
    """Whether the payload is taken. What is taken must decode to rows; what is not, must be refused with a 4xx."""
    entry = Entry(kind, "/", 1, encoding, content_type(kind), body)
    try:
        check(entry, LIMITS)
    except Rejected as refused:
        assert 400 <= refused.status < 500
        return False
    decode(entry, LIMITS, lambda _: None, Batch())
    return True


def test_the_examples_cover_every_kind_and_are_valid():
    assert set(PAYLOADS) == set(KINDS.values())
    for kind, body in PAYLOADS.items():
        assert passes(kind, body), kind


@given(kind=st.sampled_from(sorted(set(KINDS.values()))), body=st.binary(max_size=300))
@settings(max_examples=150)
def test_any_bytes_are_taken_or_refused(kind, body):
    passes(kind, body)


KIND_NAMES = st.sampled_from(sorted(set(KINDS.values())))


@given(data=st.data(), kind=KIND_NAMES, encoding=st.sampled_from(sorted(COMPRESS)))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_payload_is_taken_or_refused(data, kind, encoding):
    body = bytearray(COMPRESS[encoding](PAYLOADS[kind]))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        match data.draw(st.sampled_from(["change", "cut", "repeat"])):
            case "change":
                body[place] = data.draw(st.integers(0, 255))
            case "cut":
                del body[place + 1 :]
            case "repeat":
                body[place:place] = body[place : place + data.draw(st.integers(1, 30))]
    passes(kind, bytes(body), encoding)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [
        "series",
        "points",
        "metric",
        "type",
        "host",
        "tags",
        "events",
        "message",
        "timestamp",
        "status",
        "ddtags",
        "resources",
    ]
)


@given(
    kind=st.sampled_from(["logs", "series_v1", "series_v2", "check_run", "intake", "metadata"]),
    value=JSON
    | st.lists(st.dictionaries(NAMES, JSON))
    | st.dictionaries(NAMES, st.lists(st.dictionaries(NAMES, JSON))),
)
@settings(max_examples=80)
def test_any_json_is_taken_or_refused(kind, value):
    passes(kind, json.dumps(value).encode())


STATS_NAMES = st.sampled_from(
    ["Stats", "Start", "Duration", "Service", "Name", "Hits", "Errors", "OkSummary", "Tags", "Env"]
)
STATS = st.recursive(
    st.none() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary(max_size=12) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STATS_NAMES, inner, max_size=10),
    max_leaves=15,
)


@given(value=STATS)
@settings(max_examples=120)
def test_any_stats_are_taken_or_refused(value):
    passes("stats", msgpack.packb({"Stats": value}))


ODD_LINES = [
    log_line("nul \0 and \ud800 lone surrogate"),
    log_line("x", **{"a": {"b": [1, "two", None]}, "": "empty name", '"quoted"': 1, "A": 1, "a.b": "dotted"}),
    log_line("x", timestamp=-5, status=None, ddtags=["a:b", "c"], service={"odd": 1}),
    log_line("x", big=2**70, small=-0.0, nan=float("nan"), infinite=float("inf")),
    log_line("x", **{"@at": 1, "#hash": "x", "n" * 500: "long"}),
    log_line('{"message": {"nested": true}, "timestamp": "never", "x": "\\ud800"}'),
]
ODD_SPANS = [
    span(start=2**63 - 1, duration=2**62, meta={"": "no name", "a,b": "c", "é": "ü"}, metrics={"x": float("nan")}),
    span(start=-5),
]


def test_odd_payloads_are_stored_and_read(tmp_path):
    everything = {"filter[from]": str(-(10**15)), "filter[to]": str(10**15), "page[limit]": "100"}
    for intake in start(IntakeSettings(folder=tmp_path, port=0)):
        assert intake.http.post("/api/v2/logs", content=json.dumps(ODD_LINES)).status_code == 202
        assert intake.http.post("/api/v0.2/traces", content=text_form(*ODD_SPANS)).status_code == 202
        assert len(intake.http.get("/api/v2/logs/events", params=everything).json()["data"]) == len(ODD_LINES)
        assert len(intake.http.get("/api/v2/spans/events", params=everything).json()["data"]) == len(ODD_SPANS)
        assert not {"undecodable", "index_failures"} & set(intake.status())


def test_a_payload_that_cannot_be_stored_does_not_hold_up_the_others(tmp_path, monkeypatch):
    def failing(entry, *rest):
        if b"poison" in entry.body:
            raise ValueError("cannot be decoded after all")
        decode(entry, *rest)

    monkeypatch.setattr("meshproof.intake.store.decode", failing)
    for intake in start(IntakeSettings(folder=tmp_path, port=0)):
        for text in ("one", "poison", "two"):
            intake.http.post("/api/v2/logs", json=[log_line(text)])
        found = intake.http.get("/api/v2/logs/events").json()["data"]
        assert {log["attributes"]["message"] for log in found} == {"one", "two"}
        assert intake.status()["undecodable"] == 1
        (kept,) = intake.http.get("/meshproof/documents", params={"query": "kind:undecodable"}).json()["data"]
        assert "poison" in kept["content"]["body"]


BOMB_BYTES = 64 * 1024 * 1024


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_an_expansion_bomb_is_refused_without_its_memory(encoding):
    bomb = COMPRESS[encoding](bytes(BOMB_BYTES))
    assert len(bomb) < BOMB_BYTES / 500
    tracemalloc.start()
    with pytest.raises(Rejected, match="413"):
        expand(bomb, encoding, 1024 * 1024)
    assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    tracemalloc.stop()


def test_a_zstd_bomb_that_hides_its_size_is_refused():
    bomb = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(BOMB_BYTES))
    with pytest.raises(Rejected, match="413"):
        expand(bomb, "zstd", 1024 * 1024)


def test_a_payload_of_empty_messages_is_refused():
    chunk = b"\x22\x00" * 500_000  # field 4, spans, each empty
    tracer = message("IdxTracerPayload")(chunks=[chunk])
    body = message("AgentPayload")(idx_tracer_payloads=[tracer.SerializeToString()]).SerializeToString()
    with pytest.raises(Rejected, match="413"):
        check(Entry("traces", "/", 1, "", "", body), LIMITS)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"[" + b"[]," * 700_000 + b"[]]"])
def test_deep_and_wide_json_is_refused(body):
    with pytest.raises(Rejected):
        check(Entry("logs", "/", 1, "", "", body), Limits())


def test_deep_msgpack_is_refused():
    with pytest.raises(Rejected):
        check(Entry("stats", "/", 1, "", "", b"\x91" * 100_000), LIMITS)


def test_refusals_are_counted_and_the_intake_goes_on(intake):
    before = intake.status()
    big = bytes(intake.settings.limits.body + 1)
    cases = {
        "malformed": ({"content": b"\xff\xff"}, 400),
        "too_large": ({"content": big}, 413),
        "encoding": ({"content": b"x", "headers": {"Content-Encoding": "br"}}, 415),
    }
    for reason, (request, status) in cases.items():
        assert intake.http.post("/api/v0.2/traces", **request).status_code == status
        name = f"rejected:{reason}:/api/v0.2/traces"
        assert intake.status()[name] == before.get(name, 0) + 1
    assert intake.http.post("/api/v2/logs", json=[log_line("still here")]).status_code == 202


def test_in_flight_bytes_are_given_back(tmp_path):
    body = json.dumps([log_line("x" * 600)]).encode()
    for intake in start(IntakeSettings(folder=tmp_path, port=0, limits=Limits(in_flight=1000))):
        assert {intake.http.post("/api/v2/logs", content=body).status_code for _ in range(5)} == {202}
        assert intake.http.post("/api/v2/logs", content=body * 2).status_code == 503
        assert intake.http.post("/api/v2/logs", content=body).status_code == 202
