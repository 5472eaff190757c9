"""Evidence of every kind, as suites leave it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from made_rows import made

from meshproof.report.evidence import Cell, Evidence, LedgerRow, ParityRow, Quantile, Stage, Tone
from meshproof.report.measured import draw_canary, draw_split, draw_weights
from meshproof.verdict.canary import CanaryPromise
from meshproof.verdict.confidence import confidence_sequence
from meshproof.verdict.quantiles import quantile_interval
from meshproof.verdict.split import SplitPromise

FLAME = """<svg xmlns="http://www.w3.org/2000/svg" width="900" height="120" onload="boom()">
<title>Trace 7f3a: GET /speak, 41 ms</title><style>.f{stroke:#fff} .f:hover{opacity:.7}</style>
<script>boom()</script><image href="https://example.org/x.png"/>
<g font-family="sans-serif" font-size="12">
<rect class="f" x="0" y="10" width="900" height="24" fill="#f0a35e"/>
<text x="6" y="26">istio-ingressgateway: envoy.proxy 41.0 ms</text>
<rect class="f" x="20" y="36" width="850" height="24" fill="#7fb2e5"/>
<text x="26" y="52">text-to-speech.apps: envoy.proxy (inbound) 38.7 ms</text>
<rect class="f" x="34" y="62" width="560" height="24" fill="#8fd19e"/>
<text x="40" y="78">text-to-speech: GET /speak 25.5 ms</text>
<rect class="f" x="80" y="88" width="300" height="24" fill="#d7a6e8"/>
<text x="86" y="104">goapi: GET /books 13.6 ms</text>
</g></svg>"""


def refused(target: str, pod: str) -> dict[str, Any]:
    return _attempt(
        "pod outside/client-599bf5bbff-8wfgk (client)",
        target,
        pod,
        {
            "outcome": "refused",
            "reason": "reset",
            "detail": "curl (56): Recv failure: Connection reset by peer",
            "seconds": 0.0076,
            "peer": "10.244.0.10:5000",
            "local": "10.244.0.5:35834",
            "status": None,
            "request_id": "0d1d7cfa",
            "trace": ["Trying 10.244.0.10:5000...", "Connected", "Recv failure"],
        },
    )


def answered(target: str, pod: str) -> dict[str, Any]:
    return _attempt(
        "pod apps/alpine-55647975d6-jcp27 (alpine)",
        target,
        pod,
        {
            "outcome": "answered",
            "status": 200,
            "headers": [["server", "envoy"]],
            "body": '{"status":"ok"}\n',
            "http_version": "HTTP/1.1",
            "seconds": 0.0099,
            "peer": "10.96.150.194:80",
            "local": None,
            "request_id": "2e04",
        },
    )


def _attempt(vantage: str, target: str, pod: str, outcome: dict[str, Any]) -> dict[str, Any]:
    route = {"way": "service", "address": f"{target}.apps.svc.cluster.local", "port": 80, "pods": [pod]}
    entry = {"response_flags": "NR", "response_code_details": "filter_chain_not_found", "duration": 1}
    return {"vantage": vantage, "route": route, "outcome": outcome, "entries": [[pod, entry]]}


def split_evidence(kept: Evidence, *, share: float, looks: int = 80) -> None:
    draws = np.random.default_rng(3).random(50 * looks) < share
    n = np.arange(50, 50 * looks + 1, 50)
    canary = np.cumsum(draws)[n - 1]
    ends = confidence_sequence(np.stack([n - canary, canary], axis=-1), 1e-3)
    kept.series(
        "share of v2",
        n,
        canary / n,
        ends[:, 1, 0],
        ends[:, 1, 1],
        x_label="requests",
        y_label="share of v2",
        label="v2",
        expected=0.30,
        margin=0.05,
        band="99.9 % at all requests at once",
    )


def quantile_evidence(kept: Evidence) -> None:
    draw = np.random.default_rng(4)
    arms = {}
    for arm, scale, count in (("v1 (stable)", 4.1, 7000), ("v2 (canary)", 4.4, 3000)):
        values = draw.lognormal(np.log(scale), 0.5, count)
        curve = []
        for q in (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995):
            low, high = (float(end) for end in quantile_interval(values, q, 1e-3))
            curve.append(Quantile(q, float(np.quantile(values, q)), low, high))
        arms[arm] = curve
    kept.quantiles("latency of the arms", arms, unit="ms", interval="99.9 % for each quantile")


def evidence_of_every_kind() -> dict[str, Evidence]:
    found: dict[str, Evidence] = {}
    kept = found["split"] = Evidence()
    split_evidence(kept, share=0.30)
    kept.table(
        "what the e-process says", ["figure", "value"], [["requests", 4000], ["p-value", 0.41], ["drift", "none"]]
    )
    rows = made(3000, slower=1.2, failing=0.02)
    draw_split(kept, rows, SplitPromise((70, 30)))
    draw_weights(kept, rows, [(0, (70, 30))])
    kept = found["canary"] = Evidence()
    quantile_evidence(kept)
    kept.figure("p90 ratio", 1.074, "", 1.021, 1.131)
    draw_canary(kept, rows, CanaryPromise())
    kept.waterfall(
        "the run", [{"name": "warm up", "began": 0.0, "ended": 1.5, "state": "done", "note": "", "group": "load"}]
    )
    kept = found["traces"] = Evidence()
    kept.file("flame graph of trace 7f3a.svg", FLAME)
    kept.file("trace.json", json.dumps({"spans": 4}))
    kept.figure("completeness", 99.98, "%", 99.91, 100.0)
    kept = found["logs"] = Evidence()
    kept.ledger(
        "sentinel lines",
        [
            LedgerRow("apps/goapi, container goapi", "arrives", 40, 40),
            LedgerRow("apps/goapi, container istio-proxy", "excluded", 40, 0, sentinel="goapi line 41, same agent"),
            LedgerRow("outside/client", "excluded", 40, 2, sentinel="goapi line 41, same agent"),
        ],
    )
    kept.parity(
        "latency, here and at Datadog",
        [
            ParityRow("p50", 4.12, 4.14, 0.016, unit="ms"),
            ParityRow("p99", 13.4, 14.1, 0.016, unit="ms"),
            ParityRow("requests", 10000, 10000, 0.0, holds=True),
        ],
        ours="load generator",
        theirs="Datadog",
    )
    kept.text("the agent's exclusion", "container_exclude: name:istio-proxy\ncontainer_include: kube_namespace:apps")
    kept.matrix(
        "who is read",
        ["agent a", "agent b"],
        ["goapi", "istio-proxy"],
        {
            ("agent a", "goapi"): Cell("read", Tone.GOOD),
            ("agent a", "istio-proxy"): "left out",
            ("agent b", "goapi"): Cell("left out", Tone.BAD, "by a look-alike rule"),
        },
    )
    kept = found["address"] = Evidence()
    kept.stages(
        "address of the gateway",
        [
            Stage("asked for", "Service istio-system/istio-ingressgateway", at=0.0),
            Stage("IPAllocated", "metallb-controller", 'Assigned IP ["172.18.255.240"]', at=0.21),
            Stage("nodeAssigned", "metallb-speaker", "announcing from node cp with protocol layer2", at=0.34),
            Stage("answers ARP", "the node's own address", at=0.36),
        ],
    )
    return found
