"""Runs made by hand, with every kind of evidence in them, as a real run would leave them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from sample_evidence import answered, evidence_of_every_kind, refused, split_evidence

from meshproof.report.evidence import Evidence
from meshproof.report.results import CheckResult, Ending, LeftOut, Results
from meshproof.report.runs import PROOF
from meshproof.verdict import Verdict

FACTS: dict[str, Any] = {
    "run": "20261120-0801-77aa",
    "cluster": "cluster-istio",
    "bed": "created",
    "images": "source",
    "versions": {"meshproof": "0.1.0", "kubernetes": "v1.36.3", "istio": "1.31.0", "metallb": "0.15.2"},
    "digests": {
        "docker.io/istio/pilot:1.31.0": "sha256:" + "2a" * 32,
        "docker.io/istio/proxyv2:1.31.0": "sha256:" + "9c" * 32,
    },
    "pool": "172.18.255.240-172.18.255.245",
    "gateway": "172.18.255.240",
    "meshproof": "0.1.0",
}


def check(name: str, promise: str, verdict: Ending, evidence: Evidence | None = None, **more: Any) -> CheckResult:
    seconds = more.pop("seconds", 0.4)
    kept = tuple(evidence.items) if evidence else ()
    return CheckResult(f"suites/{name}", promise, verdict, more.pop("reason", ""), seconds, kept, **more)


def results() -> tuple[Results, list[Evidence]]:
    """A run with every verdict, and the evidence whose files are to be written."""
    kept = evidence_of_every_kind()
    sides = Evidence()
    sides.add("attempts", [answered("goapi", "goapi-5889dbbbcf-8k48s"), answered("alpine", "alpine-55647975d6-jcp27")])
    denied = Evidence()
    denied.add("denied", [refused("goapi", "goapi-5889dbbbcf-8k48s"), refused("alpine", "alpine-55647975d6-jcp27")])
    denied.add("pods", {"namespace": "apps", "labels": {"app": "goapi", "version": "v1"}, "note": "x" * 3000})
    rule: dict[str, Any] = {"exact": "spiffe://cluster.local/ns/apps/sa/text-to-speech-destination-rule"}
    for level in ("match_subject_alt_names", "validation_context", "common_tls_context", "typed_config", "metadata"):
        rule = {level: rule, "name": "envoy.transport_sockets.tls"}
    names = ("outbound|80||goapi.apps.svc.cluster.local", "outbound|80|v2|text-to-speech.apps.svc.cluster.local")
    denied.add("clusters", [{"name": name, "port": None, "socket": rule} for name in names])
    broken = Evidence()
    through = {
        **answered("alpine", "alpine-55647975d6-jcp27"),
        "vantage": "pod outside/client-599bf5bbff-8wfgk (client)",
    }
    broken.add("denied", [refused("goapi", "goapi-5889dbbbcf-8k48s"), through])
    drifting = Evidence()
    split_evidence(drifting, share=0.36, looks=40)
    checks = [
        check(
            "test_mtls.py::test_client_with_a_sidecar_is_answered",
            "A client with a sidecar is answered, over TLS.",
            Verdict.CONFORM,
            sides,
        ),
        check(
            "test_mtls.py::test_client_without_a_sidecar_is_refused[goapi]",
            "Plaintext is reset by the target's proxy, which logs that it did so.",
            Verdict.CONFORM,
            denied,
        ),
        check(
            "test_mtls.py::test_client_without_a_sidecar_is_refused[alpine]",
            "Plaintext is reset by the target's proxy, which logs that it did so.",
            Verdict.VIOLATE,
            broken,
            reason="plaintext was answered: pod outside/client -> service alpine:5000: answered 200 in 9 ms",
        ),
        check(
            "test_gateway_address.py::test_gateway_has_an_address",
            "The gateway's Service went from pending to an address, inside the pool.",
            Verdict.CONFORM,
            kept["address"],
        ),
        check(
            "test_gateway_address.py::test_gateway_answers_on_the_mapped_ports_of_the_host",
            "The host's ports 80 and 443 lead to the gateway.",
            LeftOut.NOT_PROVEN,
            reason="no port of the host is mapped: both were taken, or the cluster is borrowed",
        ),
        check(
            "test_apps.py::test_speech_is_real",
            "/speak gives a WAV file that is not silence.",
            Verdict.INVALID,
            reason="INVALID: no pod of apps/text-to-speech is ready\n  seen: text-to-speech-89b64f647-sk5sr Pending",
        ),
        check(
            "test_traces.py::test_trace_is_whole",
            "One request through the gateway is one trace, without a gap.",
            Verdict.CONFORM,
            kept["traces"],
            seconds=12.4,
        ),
        check(
            "test_logs.py::test_excluded_logs_stay_out",
            "Lines of excluded containers do not arrive.",
            Verdict.CONFORM,
            kept["logs"],
            seconds=31.0,
        ),
        check(
            "test_split.py::test_split_is_as_promised",
            "v2 gets 30 % of the requests, within 5 points.",
            Verdict.CONFORM,
            kept["split"],
            seconds=21.0,
        ),
        check(
            "test_split.py::test_split_does_not_drift",
            "The split stays as it is through the whole run.",
            Verdict.INCONCLUSIVE,
            drifting,
            reason="2000 requests at the cap neither refute 70/30 nor certify 5 points",
        ),
        check(
            "test_canary.py::test_canary_is_as_fast",
            "The canary is at most 10 % slower at p50, 15 % at p90.",
            Verdict.CONFORM,
            kept["canary"],
            seconds=22.0,
        ),
    ]
    return Results(facts=dict(FACTS), checks=checks), [*kept.values()]


def timeline(seconds: float = 41.0) -> dict[str, Any]:
    steps = [
        ("image source", "images", 0.0, 0.2, "done", "source"),
        ("engine", "bed", 0.2, 2.1, "done", ""),
        ("image datadog-cluster-agent", "images", 2.1, 2.4, "done", ""),
        ("kind cluster", "bed", 2.4, 14.0, "done", ""),
        ("node images", "bed", 2.1, 9.0, "skipped", "already there"),
        ("metallb", "stack", 14.0, 22.5, "done", ""),
        ("istio", "stack", 14.0, 27.5, "done", "12 objects"),
        ("gateway", "stack", 27.5, 33.0, "done", ""),
        ("gateway address", "stack", 33.0, 33.4, "done", "172.18.255.240"),
        ("apps", "stack", 27.5, seconds, "done", ""),
        ("datadog operator and its agents", "stack", 14.0, 30.0, "failed", "not ready after 16 s"),
    ]
    return {
        "started_at": "2026-11-20T08:01:12.000+00:00",
        "seconds": seconds,
        "longest_path": ["image source", "engine", "image datadog-cluster-agent", "kind cluster", "istio", "apps"],
        "spans": [
            {"name": n, "group": g, "state": s, "began": b, "ended": e, "after": [], "note": note}
            for n, g, b, e, s, note in steps
        ],
    }


def proof() -> dict[str, Any]:
    """What mutants did to the tests: caught, caught for another reason, missed, and one that hit another test."""

    def cell(test: str, mark: str, reason: str = "", wanted: str = "") -> dict[str, str]:
        return {"test": test, "mark": mark, "verdict": "VIOLATE", "reason": reason, "wanted": wanted}

    def row(mutant: str, breaks: str, *cells: dict[str, str]) -> dict[str, Any]:
        holds = all(one["mark"] in ("caught", "green") for one in cells)
        return {
            "mutant": mutant,
            "area": "mtls",
            "breaks": breaks,
            "cells": cells,
            "restored": True,
            "seconds": 7.5,
            "problem": "",
            "holds": holds,
        }

    refusal, split = "test_mtls.py::test_client_without_a_sidecar_is_refused", "test_split.py::test_split"
    logs = "test_logs.py::test_excluded_logs_stay_out"
    return {
        "rows": [
            row(
                "mtls-off",
                "plaintext is accepted",
                cell(refusal, "caught", "plaintext was answered", "answered"),
                cell(split, "green"),
            ),
            row(
                "mtls-port-exception", "one port", cell(refusal, "collateral", "INVALID: no pod"), cell(split, "green")
            ),
            row("split-35", "35 % for v2", cell(split, "caught", "the split is not 70/30", "not 70/30")),
            row("logs-not-excluded", "istio-proxy's logs", cell(logs, "missed", "", "2 lines")),
        ],
        "unproven": ["test_apps.py::test_speech_is_real"],
        "left_out": ["test_agent_pods.py::test_connections_are_seen"],
    }


def write_run(folder: Path, *, seconds: float = 41.0) -> Path:
    """A whole run in a folder."""
    made, kept = results()
    made.facts["session"] = folder.name
    made.write(folder / "results.json")
    for evidence in kept:
        evidence.write_files(folder)
    (folder / "timeline.json").write_text(json.dumps(timeline(seconds)))
    (folder / PROOF).write_text(json.dumps(proof()))
    return folder


def write_plain_run(folder: Path, *, seconds: float, checks: int = 11) -> Path:
    """A run of the past: nothing but figures."""
    kept = Evidence()
    kept.figure("completeness", 99.9, "%")
    made = [check(f"test_mtls.py::test_{number}", "It holds.", Verdict.CONFORM) for number in range(checks - 1)]
    made.append(check("test_traces.py::test_trace_is_whole", "One trace.", Verdict.CONFORM, kept))
    Results(facts={**FACTS, "session": folder.name}, checks=made).write(folder / "results.json")
    day, _, time = folder.name.partition("-")
    stamp = f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:00+00:00"
    data = {**timeline(seconds), "started_at": stamp}
    (folder / "timeline.json").write_text(json.dumps(data))
    return folder


def write_past(reports: Path, *, runs: int = 24, change_at: int = 14) -> None:
    """Two runs a day before the sample run, whose set-up became slower at one of them."""
    draw = np.random.default_rng(7)
    for night in range(runs):
        seconds = float(draw.normal(41.0 if night >= change_at else 33.0, 1.0))
        write_plain_run(reports / f"202611{night // 2 + 1:02}-{12 * (night % 2):02}0000", seconds=seconds)
