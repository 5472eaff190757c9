"""Lines that can be told apart wherever they turn up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshproof.observability.sentinels import Sentinel, Stream, new_run, sentinels_in

STREAM = Stream("mp1", "apps/writer")
PAYLOADS = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"])).map(str.strip)


@given(number=st.integers(0, 999_999), payload=PAYLOADS)
def test_a_line_is_read_back_as_it_was_written(number, payload):
    assert sentinels_in(STREAM.line(number, payload)) == [Sentinel("mp1", "apps/writer", number, True)]


def test_lines_are_numbered_from_the_first():
    assert [sentinels_in(line)[0].sequence for line in STREAM.lines(5, 3)] == [5, 6, 7]


@pytest.mark.parametrize(
    "altered",
    [
        STREAM.line(7, "payload")[:-1],
        STREAM.line(7, "payload") + "x",
        STREAM.line(7, "payload").replace("payload", "Payload"),
        STREAM.line(7, "payload").replace("mp1", "mp2"),
        "2026-11-21T13:00:00Z stdout F " + STREAM.line(7, "payload"),
        STREAM.line(7, "payload").replace("payload", "pay\nload"),
    ],
)
def test_a_line_that_was_altered_is_known_and_not_intact(altered):
    (found,) = sentinels_in(altered)
    assert (found.sequence, found.intact) == (7, False)


def test_lines_put_together_are_all_found_and_none_is_intact():
    found = sentinels_in(f"{STREAM.line(1)} {STREAM.line(2)}")
    assert [(it.sequence, it.intact) for it in found] == [(1, False), (2, False)]


def test_other_messages_hold_none():
    assert sentinels_in("GET /books 200 meshproof-sentinel") == []


def test_two_runs_do_not_share_a_word():
    assert new_run() != new_run()
    assert new_run().isalnum()
