"""The confidence sequence is what the e-process does not refute."""

from __future__ import annotations

import numpy as np
import pytest

from meshproof.verdict.confidence import confidence_sequence
from meshproof.verdict.mixture import log_evidence


def test_at_its_ends_the_evidence_is_just_one_over_alpha() -> None:
    for end in confidence_sequence([700, 300], 1e-3)[1]:
        assert float(log_evidence([700, 300], [1 - end, end])) == pytest.approx(np.log(1e3), abs=1e-4)


def test_it_is_wider_than_the_interval_for_a_fixed_number() -> None:
    low, high = confidence_sequence([700, 300], 0.05)[1]
    assert low < 0.3 - 1.96 * 0.0145 and high > 0.3 + 1.96 * 0.0145


def test_arms_of_a_pair_mirror_each_other() -> None:
    both = confidence_sequence([700, 300], 0.01)
    assert both[0] == pytest.approx(1 - both[1, ::-1])


def test_without_requests_everything_is_possible() -> None:
    assert confidence_sequence([0, 0], 0.05).tolist() == [[0.0, 1.0], [0.0, 1.0]]


def test_unattributed_requests_widen_it() -> None:
    low, high = confidence_sequence([700, 300], 0.05)[1]
    wide_low, wide_high = confidence_sequence([700, 300], 0.05, 50)[1]
    assert wide_low < low and high < wide_high
