"""Requests that are not drawn anew are found and told apart."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from scipy.stats import chi2_contingency, norm

from meshproof.verdict import Verdict
from meshproof.verdict.arrays import Ints
from meshproof.verdict.homogeneity import arm_table, homogeneity_test, windows
from meshproof.verdict.independence import Dependence, judge_independence
from meshproof.verdict.runs import runs_distribution, runs_test

TURNS = np.resize([0, 0, 1, 0, 0, 1, 0, 0, 1, 0], 2_000)


def drawn(requests: int, seed: int = 1) -> Ints:
    return (np.random.default_rng(seed).random(requests) < 0.3).astype(np.int64)


def connections(requests: int, number: int = 20) -> Ints:
    return np.random.default_rng(2).integers(0, number, requests)


@pytest.mark.parametrize(("ones", "zeros"), [(3, 4), (1, 5), (2, 2), (0, 3), (1, 0)])
def test_runs_are_distributed_as_counting_all_orders_says(ones: int, zeros: int) -> None:
    orders = list(permutations([1] * ones + [0] * zeros))
    runs = [1 + sum(a != b for a, b in pairwise(order)) for order in orders]
    assert runs_distribution(ones, zeros) == pytest.approx(np.bincount(runs, minlength=ones + zeros + 1) / len(orders))


def test_pooled_runs_are_the_convolution_of_the_connections() -> None:
    arm, connection = np.array([0, 1, 1, 0, 0, 0, 1, 0, 0]), np.array([1, 1, 1, 1, 2, 2, 2, 2, 2])
    both = np.convolve(runs_distribution(2, 2), runs_distribution(1, 4))
    found = runs_test(arm, connection)
    assert found.runs == 6
    assert (found.p_few, found.p_many) == pytest.approx((both[:7].sum(), both[6:].sum()))


def test_long_runs_tests_agree_with_the_normal_approximation() -> None:
    arm = drawn(4_000)
    ones, n = int(arm.sum()), arm.size
    mean = 1 + 2 * ones * (n - ones) / n
    deviation = np.sqrt((mean - 1) * (mean - 2) / (n - 1))
    found = runs_test(arm, np.zeros(n))
    assert found.expected == pytest.approx(mean)
    assert found.p_few == pytest.approx(norm.cdf((found.runs + 0.5 - mean) / deviation), abs=2e-3)


def test_round_robin_is_exposed_by_200_requests() -> None:
    assert runs_test(TURNS[:200], np.zeros(200)).p_many < 1e-8


def test_more_arms_are_each_tested_against_the_rest() -> None:
    turns = np.resize([0, 1, 2], 300)
    assert runs_test(turns, np.zeros(300)).p_many < 1e-8


def test_the_statistic_of_homogeneity_is_pearsons() -> None:
    table = np.array([[30, 10], [28, 15], [35, 9]])
    expected = chi2_contingency(table, correction=False)
    found = homogeneity_test(table, 0.01)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_unlike == pytest.approx(expected.pvalue)


def test_near_the_threshold_random_tables_take_over() -> None:
    table = np.array([[30, 10], [15, 25], [28, 12]])
    found = homogeneity_test(table, 1e-3)
    assert found.p_unlike == pytest.approx(chi2_contingency(table, correction=False).pvalue, rel=0.5)
    assert found.p_unlike != pytest.approx(chi2_contingency(table, correction=False).pvalue, rel=1e-6)


def test_independent_requests_conform() -> None:
    assert judge_independence(drawn(2_000), connections(2_000), 1e-3).verdict is Verdict.CONFORM


def test_too_few_requests_are_inconclusive() -> None:
    assert judge_independence(drawn(300), connections(300), 1e-3).verdict is Verdict.INCONCLUSIVE


def test_routing_per_connection_is_found() -> None:
    connection = connections(2_000)
    found = judge_independence((connection % 10 < 3).astype(np.int64), connection, 1e-3)
    assert (found.verdict, found.found) == (Verdict.VIOLATE, (Dependence.PER_CONNECTION,))
    assert found.users.pure == 1.0


def test_stickiness_is_found() -> None:
    connection = np.repeat(np.arange(10), 200)
    arm, repeats = drawn(2_000), np.random.default_rng(5).random(2_000) < 0.5
    for place in np.flatnonzero(repeats[1:]) + 1:
        arm[place] = arm[place - 1]
    assert judge_independence(arm, connection, 1e-3).found == (Dependence.STICKY,)


def test_a_round_robin_over_all_connections_is_found() -> None:
    assert judge_independence(TURNS, connections(2_000, 50), 1e-3).found == (Dependence.TOO_REGULAR,)


def test_one_arm_alone_is_invalid() -> None:
    assert judge_independence(np.zeros(100), connections(100), 1e-3).verdict is Verdict.INVALID


def test_unattributed_requests_are_left_out() -> None:
    arm = drawn(2_000)
    arm[::50] = -1
    assert judge_independence(arm, connections(2_000), 1e-3).runs.requests == 1_960


def test_tables_and_windows_count_requests() -> None:
    assert arm_table([0, 1, 1, 0], [7, 7, 9, 9]).tolist() == [[1, 1], [1, 1]]
    assert windows(45, number=2).tolist() == [0] * 22 + [1] * 22 + [2]


def test_no_requests_are_invalid() -> None:
    assert judge_independence([], [], 1e-3).verdict is Verdict.INVALID
