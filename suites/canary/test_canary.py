"""The canary is as fast and as sound as the stable version: the same load, at the same time, on both."""

from __future__ import annotations

from meshproof.errors import Inconclusive, InvalidMeasurement
from meshproof.load.outside import run_outside
from meshproof.load.plots import draw_canary
from meshproof.mesh import Mesh
from meshproof.report.evidence import Evidence
from meshproof.verdict import Verdict

SPEECH = "text-to-speech.apps.svc.cluster.local"
OPTIONS = {"target-host": SPEECH, "alpha": 1e-4, "rate": 300.0, "late-after": 0.05, "margins": "sample-apps"}


def test_canary_is_as_fast_and_as_sound_as_the_stable_version(mesh: Mesh, evidence: Evidence) -> None:
    """p50, p90, p99 and errors of v2 are within the margins of v1's; wrong at most once in 10,000 runs."""
    rows, picture = mesh.reports / "canary.parquet", mesh.reports / "canary.svg"
    ended = run_outside("canary", f"http://{mesh.gateway_address}", OPTIONS, seconds=90, rows=rows)
    draw_canary(ended.rows, ["v1", "v2"], picture)
    evidence.add("run", ended.said)
    evidence.file("canary.svg", picture.read_text())
    if ended.verdict is Verdict.INVALID:
        raise InvalidMeasurement("the canary could not be measured", seen=ended.said)
    if ended.verdict is Verdict.INCONCLUSIVE:
        raise Inconclusive("the requests did not decide", seen=ended.said)
    assert ended.verdict is Verdict.CONFORM, ended.said
