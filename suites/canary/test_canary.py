"""The canary is as fast and as sound as the stable version: the same load, at the same time, on both."""

from __future__ import annotations

from meshproof.load.judging import CanaryRun
from meshproof.load.measured import Measured, conforms
from meshproof.load.options import by_key
from meshproof.load.strictness import Strict
from meshproof.report.evidence import Evidence
from meshproof.report.history import ERROR_RATE
from meshproof.report.measured import draw_canary


def test_canary_is_as_fast_and_as_sound_as_the_stable_version(
    compared: Measured, canary_load: dict[str, object], strict: Strict, evidence: Evidence
) -> None:
    """p50, p90, p99 and errors of v2 are within the margins of v1's, as surely as the run is strict."""
    judged = CanaryRun(by_key(canary_load))
    draw_canary(evidence, compared.rows, judged.promise, judged.load.arms, share=judged.share)
    evidence.figure("may be wrong", strict.alpha, ERROR_RATE)
    evidence.text("what the run said", compared.told)
    conforms(compared.verdict, compared.told)
