"""Tracers that send to the intake without an agent: only where that is asked for."""

from __future__ import annotations

import msgpack
from intake_payloads import span
from intake_server import start

from meshproof.intake.server import IntakeSettings


def payload(**changes):
    made = span(**changes)
    made["meta"]["_dd.p.tid"] = f"{made['trace_id'] >> 64:016x}"
    return msgpack.packb([[{**made, "trace_id": made["trace_id"] & (2**64 - 1)}]])


def test_a_tracer_needs_no_key_where_tracers_are_taken(tmp_path):
    for intake in start(IntakeSettings(folder=tmp_path, port=0, tracers=True)):
        key = intake.http.headers.pop("DD-API-KEY")
        answer = intake.http.post("/v0.4/traces", content=payload())
        assert answer.json() == {"rate_by_service": {}}
        assert "/v0.4/traces" in intake.http.get("/info").json()["endpoints"]
        (read,) = intake.http.get("/api/v2/spans/events", headers={"DD-API-KEY": key}).json()["data"]
        assert read["attributes"]["trace_id"] == "11112222333344445555666677778888"
        assert read["attributes"]["custom"]["http"]["status_code"] == "200"


def test_a_tracer_is_foreign_elsewhere(intake):
    assert intake.http.post("/v0.4/traces", content=payload(), headers={"DD-API-KEY": ""}).status_code == 403
