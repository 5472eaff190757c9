"""Rows of many generators become one order."""

from __future__ import annotations

import numpy as np

from meshproof.load.rows import Row, Rows
from meshproof.load.settled import Settled


def row(start: int, took: int = 10, version: str = "v1", connection: int = 0) -> Row:
    return Row(start, start, start + took, 200, version, connection, 0, 0)


def test_a_row_waits_for_all_that_started_before_it() -> None:
    settled = Settled()
    settled.expect("one")
    settled.add("one", Rows.of([row(30), row(10)]), complete_before=20)
    assert settled.take().start.tolist() == [10]
    settled.add("one", Rows.of([row(20)]), complete_before=40)
    assert settled.take().start.tolist() == [20, 30]


def test_a_generator_that_has_told_nothing_holds_back_the_others() -> None:
    settled = Settled()
    settled.expect("one")
    settled.expect("two")
    settled.add("one", Rows.of([row(10)]), complete_before=50)
    assert len(settled.take()) == 0
    settled.add("two", Rows.of([row(5, connection=1)]), complete_before=20)
    assert settled.take().start.tolist() == [5, 10]


def test_at_the_end_everything_is_taken_once() -> None:
    settled = Settled()
    settled.expect("silent")
    settled.add("one", Rows.of([row(10), row(20)]), complete_before=15)
    assert settled.take(everything=True).start.tolist() == [10, 20]
    assert len(settled.take(everything=True)) == 0


def test_a_slow_arm_is_not_underestimated_while_the_run_goes_on() -> None:
    """v2 takes a hundred times as long: of the answers that are there it has too few, of the settled ones its share."""
    random = np.random.default_rng(1)
    all_rows = [
        row(10 * number, took=20_000 if canary else 200, version="v2" if canary else "v1")
        for number, canary in enumerate(random.random(6_000) < 0.3)
    ]
    now = 10 * 6_000
    answered = [one for one in all_rows if one.end <= now]
    complete = min(one.start for one in all_rows if one.end > now)
    settled = Settled()
    settled.expect("one")
    settled.add("one", Rows.of(answered), complete)
    share = float(np.mean(settled.take().version == "v2"))
    naive = float(np.mean([one.version == "v2" for one in answered]))
    assert abs(share - 0.3) < 0.03
    assert naive < 0.24
