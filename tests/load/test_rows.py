"""Rows, in memory and in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_rows import made

from meshproof.errors import UsageError
from meshproof.load.parquet import read_facts, read_rows, write_rows
from meshproof.load.rows import Row, Rows

ANSWERED = Row(1_000_000, 1_000_250, 1_004_250, 200, "v2", 7, 3, 12, None, "r1")
UNANSWERED = Row(2_000_000, 2_000_001, 2_000_002, 0, None, 8, 4, 0, "ConnectionReset: it's gone", None)


def test_latency_counts_from_the_intended_start_and_from_the_real_one() -> None:
    rows = Rows.of([ANSWERED])
    assert (rows.response[0], rows.service[0]) == pytest.approx((0.004250, 0.004))


def test_no_answer_and_a_5xx_are_failures_and_a_4xx_is_not() -> None:
    rows = Rows.of([ANSWERED._replace(status=status) for status in (200, 404, 500, 503, 0)])
    assert rows.failed.tolist() == [False, False, True, True, True]


def test_versions_that_are_not_an_arm_are_no_arm() -> None:
    rows = Rows.of([ANSWERED._replace(version=version) for version in ("v1", "v2", "v3", None)])
    assert rows.arm(["v1", "v2"]).tolist() == [0, 1, -1, -1]


def test_a_file_gives_back_every_microsecond_and_word(tmp_path: Path) -> None:
    rows, file = (
        Rows.joined([Rows.of([ANSWERED, UNANSWERED]), made(500, silent=0.1)]),
        tmp_path / "a folder" / "it's.parquet",
    )
    write_rows(rows, file, {"verdict": "it's CONFORM"})
    again = read_rows(file)
    for name in Row._fields:
        assert np.array_equal(getattr(again, name), getattr(rows, name)), name
    assert read_facts(file) == {"verdict": "it's CONFORM"}
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_run_without_requests_is_a_file_without_rows(tmp_path: Path) -> None:
    write_rows(Rows.of([]), tmp_path / "none.parquet")
    assert len(read_rows(tmp_path / "none.parquet")) == 0


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_rows(Rows.of([ANSWERED]), tmp_path / "taken" / "rows.parquet")
