"""The peers' rules give the published numbers, and a broken promise is reported as one."""

from __future__ import annotations

import numpy as np
import pytest

from simulations.peers import RULES, Rule, any_alarm, pass_rate
from simulations.promises import at_least, at_most, median_at_most, requests_at_most

GATEWAY, GATEWAY_RETRIED, ISTIO, _, SCRIPT = RULES


@pytest.mark.parametrize(
    ("rule", "alarm", "passes"),
    [
        (SCRIPT, 0.230, {35: 0.53, 40: 0.18, 50: 0.002}),
        (ISTIO, 0.021, {35: 0.87, 40: 0.54, 50: 0.028}),
        (GATEWAY, 0.013, {35: 0.52, 40: 0.012}),
        (Rule("", 1_000, 30), 0.035, {35: 0.10}),
        (GATEWAY_RETRIED, 0.0, {35: 0.9994, 40: 0.12}),
    ],
)
def test_rules_of_peers(rule: Rule, alarm: float, passes: dict[int, float]) -> None:
    assert 1 - pass_rate(rule, (70, 30), (70, 30)) == pytest.approx(alarm, abs=6e-4)
    for canary, expected in passes.items():
        assert pass_rate(rule, (70, 30), (100 - canary, canary)) == pytest.approx(expected, abs=6e-3)


@pytest.mark.parametrize(("split", "alarm"), [((50, 25, 25), 0.056), ((80, 10, 10), 0.0093), ((50, 50), 0.035)])
def test_istios_own_splits(split: tuple[int, ...], alarm: float) -> None:
    assert 1 - pass_rate(ISTIO, split, split) == pytest.approx(alarm, abs=5e-4)


def test_alarms_add_up_over_nights() -> None:
    assert any_alarm(0.0127) == pytest.approx(0.32, abs=0.005)


def test_a_false_alarm_rate_breaks_its_promise_when_its_interval_is_above() -> None:
    assert at_most("", 0.01, np.arange(1_000) < 12).kept
    assert not at_most("", 0.01, np.arange(1_000) < 30).kept


def test_a_catch_rate_breaks_its_promise_when_it_is_below() -> None:
    assert at_least("", 0.99, np.arange(1_000) < 990).kept
    assert not at_least("", 0.99, np.arange(1_000) < 989).kept


def test_request_numbers_break_their_promises() -> None:
    assert requests_at_most("", 150, [100, 200]).kept
    assert not requests_at_most("", 149, [100, 200]).kept
    assert not median_at_most("", 1_000, [500, 1_001, np.inf]).kept
