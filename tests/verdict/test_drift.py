"""Restarts: fair when nothing changes, and in the right places."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from meshproof.verdict.drift import log_drift_evidence, restart_looks
from meshproof.verdict.mixture import log_evidence

SHARES = np.array([0.7, 0.3])


def test_restarts_come_when_the_next_500_are_full() -> None:
    assert restart_looks([200, 400, 600, 800, 1_000, 1_700]).tolist() == [2, 4, 5]


def test_before_the_first_restart_there_is_no_evidence() -> None:
    counts = np.array([[0, 50], [0, 100], [0, 150]])
    assert log_drift_evidence(counts, SHARES, [1])[:2] == pytest.approx([0.0, 0.0])


def test_one_restart_weighs_a_half() -> None:
    counts = np.array([[70, 30], [70, 130]])
    expected = np.log(0.5 + 0.5 * np.exp(log_evidence([0, 100], SHARES)))
    assert log_drift_evidence(counts, SHARES, [0])[1] == pytest.approx(float(expected))


def test_its_mean_is_one_when_the_split_is_right() -> None:
    first, second = np.meshgrid(np.arange(41), np.arange(41), indexing="ij")
    k = np.stack([first, first + second], axis=-1)
    counts = np.stack([np.array([40, 80]) - k, k], axis=-1)
    evidence = np.exp(log_drift_evidence(counts, SHARES, [0, 1])[..., 1])
    weight = binom.pmf(first, 40, 0.3) * binom.pmf(second, 40, 0.3)
    assert (evidence * weight).sum() == pytest.approx(1.0, rel=1e-9)
