"""A change is found where it is, and where there is none it is said no more often than promised."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from meshproof.errors import UsageError
from meshproof.verdict.changepoint import change_points

ALPHA = 0.05


def noise(seed: int, length: int) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(0, 0.1, length)


def test_step_is_found_where_it_is() -> None:
    values = noise(1, 30) * np.where(np.arange(30) < 18, 45.0, 60.0)
    (change,) = change_points(values, 0.001)
    assert change.at == 18
    assert change.after / change.before == pytest.approx(60 / 45, rel=0.1)
    assert change.p_value <= 0.001


def test_several_steps_are_found_in_their_order() -> None:
    values = noise(2, 45) * np.repeat([45.0, 80.0, 45.0], 15)
    assert [change.at for change in change_points(values, 0.01)] == [15, 30]


def test_one_or_two_bad_runs_are_no_change() -> None:
    values = noise(3, 30)
    values[-2:] *= 50
    assert change_points(values, 0.01) == ()


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 50, [1.0, 2.0, 3.0, 4.0, 5.0]])
def test_too_little_shows_nothing(values: list[float]) -> None:
    assert change_points(values, ALPHA) == ()


def test_short_series_can_show_the_clearest_step_only() -> None:
    assert change_points([1, 2, 3, 4, 5, 6, 7, 101, 102, 103, 104, 105, 106, 107], 0.01)
    assert not change_points([1, 2, 3, 101, 102, 103], 0.01)


def test_scale_does_not_matter() -> None:
    values = noise(4, 40) * np.where(np.arange(40) < 20, 1.0, 1.2)
    changes = [change.at for change in change_points(values, 0.01)]
    assert changes
    assert [change.at for change in change_points(1000 * values, 0.01)] == changes


def test_alpha_that_the_draws_cannot_show_is_refused() -> None:
    with pytest.raises(UsageError, match="alpha"):
        change_points([1.0] * 10, 1e-6)


@pytest.mark.parametrize("kind", ["smooth", "heavy tails", "ties"])
def test_false_alarms_keep_the_promised_rate(kind: str) -> None:
    series = 400
    draw = np.random.default_rng(5)
    found = 0
    for _ in range(series):
        values = {
            "smooth": lambda: draw.normal(45, 3, 30),
            "heavy tails": lambda: draw.standard_cauchy(30),
            "ties": lambda: draw.integers(0, 4, 30).astype(float),
        }[kind]()
        found += bool(change_points(values, ALPHA, draws=499, seed=int(draw.integers(1 << 30))))
    assert found <= binom.isf(1e-4, series, ALPHA), f"{found} of {series} are false alarms"


@pytest.mark.parametrize(("runs", "at", "ratio"), [(40, 25, 1.12), (30, 25, 1.2), (20, 15, 1.3)])
def test_clear_changes_are_caught_soon(runs: int, at: int, ratio: float) -> None:
    draw = np.random.default_rng(6)
    step = np.where(np.arange(runs) < at, 1.0, ratio)
    caught = sum(bool(change_points(draw.lognormal(0, 0.05, runs) * step, 0.01, draws=499)) for _ in range(60))
    assert caught >= 54


def test_change_is_seen_beside_a_run_that_took_very_long() -> None:
    values = noise(8, 30) * np.where(np.arange(30) < 18, 45.0, 70.0)
    values[4] = 18 * 60
    assert 18 in [change.at for change in change_points(values, 0.01)]
