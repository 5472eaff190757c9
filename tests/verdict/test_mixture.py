"""The e-process agrees with a published implementation, with direct integration, and has mean one when nothing is
wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, binom

from meshproof.verdict.mixture import CONCENTRATIONS, log_evidence

# p-values of ssrm-test 0.1.5 (Optimizely): canary, canary, then three of the baseline, again and again; 70/30.
PUBLISHED = [
    (101, 100, 0.3653434988932906),
    (500, 100, 0.0001351958356668008),
    (500, 1000, 0.02220736536325315),
    (500, 10000, 0.5728865184774083),
]


@pytest.mark.parametrize(("requests", "concentration", "p_value"), PUBLISHED)
def test_ssrm_test_gives_the_same_p_values(requests: int, concentration: float, p_value: float) -> None:
    canary = np.cumsum(np.arange(requests) % 5 < 2)
    n = np.arange(1, requests + 1)
    evidence = log_evidence(np.stack([n - canary, canary], axis=-1), [0.7, 0.3], [concentration])
    assert min(1.0, np.exp(-evidence.max())) == pytest.approx(p_value, rel=1e-9)


def test_ssrm_test_gives_the_same_p_value_for_three_arms() -> None:
    kind = np.array([0, 1, 1, 2])[np.arange(300) % 4]
    counts = np.cumsum(kind[:, None] == np.arange(3), axis=0)
    evidence = log_evidence(counts, [0.5, 0.3, 0.2], [100.0])
    assert np.exp(-evidence[:200].max()) == pytest.approx(4.639609848481266e-08, rel=0.05)
    assert np.exp(-evidence.max()) == pytest.approx(2.2716241278385398e-13, rel=1e-9)


def test_it_is_the_likelihood_averaged_over_the_prior() -> None:
    def likelihood_ratio(p: float) -> float:
        return float((p / 0.3) ** 25 * ((1 - p) / 0.7) ** 35 * beta.pdf(p, 30, 70))

    assert np.exp(log_evidence([35, 25], [0.7, 0.3], [100.0])) == pytest.approx(
        quad(likelihood_ratio, 0, 1)[0], rel=1e-8
    )


def test_its_mean_is_one_when_the_split_is_right() -> None:
    k = np.arange(401)
    evidence = np.exp(log_evidence(np.stack([400 - k, k], axis=-1), [0.7, 0.3]))
    assert evidence @ binom.pmf(k, 400, 0.3) == pytest.approx(1.0, rel=1e-9)


def test_a_request_on_an_arm_without_weight_is_infinite_evidence() -> None:
    assert log_evidence([70, 30, 1], [0.7, 0.3, 0.0]) == np.inf


def test_an_arm_without_weight_and_traffic_does_not_count() -> None:
    assert log_evidence([60, 40, 0], [0.7, 0.3, 0.0]) == pytest.approx(float(log_evidence([60, 40], [0.7, 0.3])))


def test_many_runs_at_once_are_as_one_by_one() -> None:
    counts = np.random.default_rng(1).integers(0, 100, (4, 3, 2))
    together = log_evidence(counts, [0.7, 0.3], CONCENTRATIONS)
    assert together[2, 1] == pytest.approx(float(log_evidence(counts[2, 1], [0.7, 0.3])))
