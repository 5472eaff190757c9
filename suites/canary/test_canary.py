"""The canary is as fast and as sound as the stable version: the same load, at the same time, on both."""

from __future__ import annotations

from meshproof.load.measured import Measured, conforms
from meshproof.load.plots import draw_canary
from meshproof.load.staging import ARMS
from meshproof.load.strictness import Strict
from meshproof.mesh import Mesh
from meshproof.report.evidence import Evidence
from meshproof.report.history import ERROR_RATE


def test_canary_is_as_fast_and_as_sound_as_the_stable_version(
    mesh: Mesh, compared: Measured, strict: Strict, evidence: Evidence
) -> None:
    """p50, p90, p99 and errors of v2 are within the margins of v1's, as surely as the run is strict."""
    picture = mesh.reports / "canary.svg"
    draw_canary(compared.rows, list(ARMS), picture)
    evidence.add("run", compared.told)
    evidence.figure("may be wrong", strict.alpha, ERROR_RATE)
    evidence.file("canary.svg", picture.read_text())
    conforms(compared.verdict, compared.told)
