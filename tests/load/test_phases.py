"""Weights that change under traffic: each request belongs to one revision, and the time of the change is a figure."""

from __future__ import annotations

from meshproof.load.phases import changes
from meshproof.load.rows import Row, Rows


def rows(*told: tuple[int, str | None]) -> Rows:
    return Rows.of(Row(at, at, at + 10, 200 if revision else 0, "v1", 0, 0, 0, None, revision) for at, revision in told)


def test_time_of_a_change_ends_with_the_last_answer_under_the_old_revision() -> None:
    seen = rows((10, "a"), (120, "a"), (130, "b"), (150, "a"), (200, "b"), (300, "b"))
    first, second = changes(seen, [("a", 0), ("b", 100)], settle=1)
    assert (first.seconds, first.rows.start.tolist()) == (0.0, [10])
    assert (second.seconds, second.mixed) == (50 / 1e6, 1)
    assert second.rows.start.tolist() == [200, 300]


def test_an_old_revision_that_comes_back_is_counted() -> None:
    seen = rows((110, "b"), (2_000_000, "a"), (2_000_010, "b"))
    (_, second) = changes(seen, [("a", 0), ("b", 100)], settle=1)
    assert (second.seconds, second.returned) == (0.0, 1)


def test_requests_without_an_answer_belong_to_no_revision() -> None:
    (only,) = changes(rows((10, None), (20, "a")), [("a", 0)], settle=1)
    assert (len(only.rows), only.returned) == (1, 0)


def test_a_revision_that_never_answers_has_no_rows() -> None:
    (only,) = changes(rows((10, "old"), (20, "old")), [("new", 0)], settle=1)
    assert (len(only.rows), only.seconds) == (0, 20 / 1e6)
