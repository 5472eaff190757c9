"""What is lost is put down to the restart that lost it."""

from __future__ import annotations

import pytest

from meshproof.errors import InvalidMeasurement, UsageError
from meshproof.load.rows import Row, Rows
from meshproof.nightly.components import COMPONENTS, components
from meshproof.nightly.soak import BETWEEN, Restart, Window, faults, pace, quantiles, windows

SECOND = 1_000_000
GATEWAY = Restart("ingress gateway", 20 * SECOND, 25 * SECOND, may_lose=3)
ISTIOD = Restart("istiod", 10 * SECOND, 12 * SECOND, may_lose=0)


def rows(*lost: float, until: int = 60, took: float = 0.01, slow_from: float = 1e9, lasting: float = 0.01) -> Rows:
    """Ten requests a second; those due at the given seconds fail after `lasting` seconds."""
    made = []
    for tenth in range(10 * until):
        due, failed = tenth / 10, tenth / 10 in lost
        seconds = lasting if failed else took * (3 if due >= slow_from else 1)
        start = int(due * SECOND)
        end = start + int(seconds * SECOND)
        made.append(Row(start, start, end, 503 if failed else 200, "v1", 1, 1, 3, None, None))
    return Rows.of(made)


def found(made: Rows, *restarts: Restart, settle: float = 1.0) -> dict[str, Window]:
    return {window.name: window for window in windows(made, restarts, settle)}


def test_every_request_belongs_to_one_window() -> None:
    made = found(rows(), ISTIOD, GATEWAY)
    assert sum(window.requests for window in made.values()) == 600
    assert (made["istiod"].requests, made["ingress gateway"].requests) == (31, 61)


def test_what_is_lost_during_a_restart_is_put_down_to_it() -> None:
    made = found(rows(21.0, 21.1, 25.9, 40.0), ISTIOD, GATEWAY)
    assert (made["ingress gateway"].lost, made["istiod"].lost, made[BETWEEN].lost) == (3, 0, 1)


def test_a_request_under_way_when_a_restart_begins_is_put_down_to_it() -> None:
    assert found(rows(9.5, lasting=0.8), ISTIOD)["istiod"].lost == 1
    assert found(rows(9.5, lasting=0.2), ISTIOD)["istiod"].lost == 0


def test_a_request_that_two_restarts_could_be_blamed_for_counts_for_the_later_one() -> None:
    later = Restart("goapi", 12 * SECOND + SECOND // 2, 14 * SECOND, may_lose=0)
    made = found(rows(12.6), ISTIOD, later)
    assert (made["istiod"].lost, made["goapi"].lost) == (0, 1)


def test_budgets_are_kept_to_the_request() -> None:
    within = windows(rows(21.0, 21.1, 21.2), [ISTIOD, GATEWAY], 1.0)
    beyond = windows(rows(21.0, 21.1, 21.2, 21.3), [ISTIOD, GATEWAY], 1.0)
    assert faults(within) == []
    (fault,) = faults(beyond)
    assert fault.startswith("ingress gateway: 4 of 61 requests were lost, 3 may be")


def test_a_control_plane_may_lose_nothing_and_neither_may_no_restart() -> None:
    wrong = faults(windows(rows(11.0, 40.0), [ISTIOD, GATEWAY], 1.0))
    assert [fault.partition(":")[0] for fault in wrong] == ["istiod", BETWEEN]


def test_the_longest_stretch_is_from_the_first_start_to_the_last_end() -> None:
    made = found(rows(21.0, 21.1, 21.2, 23.0, lasting=0.5), GATEWAY)
    assert made["ingress gateway"].longest == pytest.approx(0.7)
    assert found(rows(), GATEWAY)["ingress gateway"].longest == 0


def test_a_restart_without_load_proves_nothing() -> None:
    late = Restart("agent", 90 * SECOND, 95 * SECOND, may_lose=0)
    with pytest.raises(InvalidMeasurement, match="agent"):
        faults(windows(rows(), [ISTIOD, late], 1.0))


def test_latencies_are_compared_before_the_first_and_after_the_last_restart() -> None:
    before, after = quantiles(rows(slow_from=25.05, until=90), [ISTIOD, GATEWAY], (0.5, 0.99))
    assert before == pytest.approx([0.01, 0.01])
    assert after == pytest.approx([0.03, 0.03])
    with pytest.raises(InvalidMeasurement, match="too few"):
        quantiles(rows(until=30), [ISTIOD, GATEWAY], (0.5,))


def test_restarts_are_paced_evenly() -> None:
    assert pace(600, 3) == [150, 300, 450]


def test_budgets_of_the_table_can_be_set_by_name() -> None:
    chosen = {one.name: one.may_lose for one in components({"ingress gateway": 7}, frozenset({"intake"}))}
    assert chosen["ingress gateway"] == 7
    assert chosen["istiod"] == 0
    assert "intake" not in chosen and len(chosen) == len(COMPONENTS) - 1
    with pytest.raises(UsageError, match="no such component"):
        components({"gateway": 7})
