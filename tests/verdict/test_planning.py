"""Requests needed, against numbers that were worked out independently."""

from __future__ import annotations

import pytest

from meshproof.verdict.canary import CanaryPromise
from meshproof.verdict.planning import (
    course_of_events,
    course_of_split,
    plan_canary,
    plan_split,
    requests_for_quantile,
    requests_to_certify,
    requests_to_refute,
    requests_without_events,
)
from meshproof.verdict.split import SplitPromise

PULL_REQUEST = SplitPromise((70, 30), margin=0.05, alpha=1e-3, cap=6_000)


@pytest.mark.parametrize(
    ("truth", "alpha", "requests"),
    [
        (0.5, 1e-2, 148),
        (0.5, 1e-3, 192),
        (0.4, 1e-3, 726),
        (0.35, 1e-3, 2_795),
        (0.35, 1e-4, 3_400),
        (0.33, 1e-3, 7_609),
    ],
)
def test_requests_to_refute_a_split(truth: float, alpha: float, requests: int) -> None:
    assert requests_to_refute(0.3, truth, alpha, 0.99) == pytest.approx(requests, rel=2e-3)


@pytest.mark.parametrize(
    ("margin", "alpha", "power", "requests"),
    [(0.05, 0.05, 0.9, 936), (0.05, 0.05, 0.99, 1_520), (0.05, 1e-3, 0.99, 2_729), (0.03, 1e-3, 0.99, 7_534)],
)
def test_requests_to_certify_a_split(margin: float, alpha: float, power: float, requests: int) -> None:
    assert requests_to_certify(0.3, margin, alpha, power) == pytest.approx(requests, rel=2e-3)


@pytest.mark.parametrize(("rate", "requests"), [(0.01, 688), (0.005, 1_379), (0.001, 6_905)])
def test_requests_without_an_error(rate: float, requests: int) -> None:
    assert requests_without_events(rate, 1e-3) == requests


@pytest.mark.parametrize(("ratio", "mean", "most"), [(2.0, 137, 342), (3.0, 57, 135), (5.0, 30, 61)])
def test_errors_that_show_a_worse_canary(ratio: float, mean: float, most: int) -> None:
    course = course_of_events(ratio, 0.3, 1e-3, most=int(3 * most))
    assert course.mean_requests == pytest.approx(mean, rel=0.03)
    assert course.requests(0.99) == pytest.approx(most, rel=0.05)


# From ((z_alpha + z_beta) kappa sigma sqrt(1/.7 + 1/.3) / ln m)^2, which takes the tail as normal.
@pytest.mark.parametrize(
    ("quantile", "margin", "requests", "within"),
    [(0.5, 1.05, 23_047, 0.01), (0.5, 1.10, 6_039, 0.01), (0.9, 1.10, 11_235, 0.06), (0.99, 1.10, 53_587, 0.10)],
)
def test_requests_for_a_quantile(quantile: float, margin: float, requests: int, within: float) -> None:
    assert requests_for_quantile(quantile, margin, 1e-3, 0.99) == pytest.approx(requests, rel=within)


def test_five_points_are_certified_within_1800_requests() -> None:
    course = course_of_split(PULL_REQUEST, 0.3)
    assert course.mean_requests <= 1_800
    assert course.conform.sum() >= 0.999
    assert course.violate.sum() <= PULL_REQUEST.alpha


@pytest.mark.parametrize(("truth", "requests"), [(0.35, 4_600), (0.5, 350)])
def test_a_wrong_split_is_caught_in_time(truth: float, requests: int) -> None:
    assert course_of_split(PULL_REQUEST, truth).caught_within(requests) >= 0.99


@pytest.mark.parametrize("edge", [0.25, 0.35])
def test_at_the_edge_a_certificate_is_as_rare_as_promised(edge: float) -> None:
    assert course_of_split(PULL_REQUEST, edge).conform.sum() <= PULL_REQUEST.alpha


def test_a_plan_tells_requests_and_seconds() -> None:
    first, second, third = plan_split(PULL_REQUEST, rate=300).lines
    assert first.startswith("as promised: CONFORM with probability 99.98%, after 1,678 requests (6 s) on average")
    assert second.startswith("off by 5 points: VIOLATE")
    assert third == "the cap is 6,000 requests (20 s)"


def test_the_costliest_metric_sets_the_requests_of_a_canary() -> None:
    plan = plan_canary(CanaryPromise(), 300, share=0.3)
    assert plan.requests == max(plan.needed.values())
    assert set(plan.needed) == {"errors", "p50", "p90", "p99"}
    assert plan_canary(CanaryPromise(quantiles=((0.5, 1.1),)), 300, share=0.3).requests < plan.requests
