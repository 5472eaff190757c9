"""Evidence with a kind is plain JSON, small, and keeps what it was given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from meshproof.report.evidence import Cell, Evidence, Line, ParityRow, Quantile, Tone
from meshproof.report.page.kinds import Item, render


def only(evidence: Evidence) -> dict:
    (item,) = evidence.items
    json.dumps(item, allow_nan=False)
    return item


def test_series_keeps_its_ends_and_few_points() -> None:
    kept = Evidence()
    x = np.arange(1, 45_001)
    kept.series("share", x, x / 45_000, x * 0.0, x * np.inf, x_label="requests", y_label="share", expected=0.3)
    (line,) = only(kept)["seen"]["lines"]
    assert (line["x"][0], line["x"][-1], line["y"][-1]) == (1.0, 45_000.0, 1.0)
    assert len(line["x"]) <= 402
    assert line["high"][-1] is None, "an open end is None"


def test_lines_share_their_axes() -> None:
    kept = Evidence()
    kept.lines("both", [Line("v1", [1, 2], [3, 4]), Line("v2", [1, 2], [5, 6])], x_label="x", y_label="y", margin=1)
    seen = only(kept)["seen"]
    assert [line["label"] for line in seen["lines"]] == ["v1", "v2"]
    assert (seen["x_label"], seen["margin"], seen["lines"][0]["low"]) == ("x", 1, None)


def test_matrix_says_where_nothing_was_seen() -> None:
    kept = Evidence()
    kept.matrix("m", ["a", "b"], ["x", "y"], {("a", "x"): Cell("yes", Tone.GOOD), ("b", "y"): "maybe"})
    cells = only(kept)["seen"]["cells"]
    assert cells[0] == [{"text": "yes", "tone": "good", "detail": ""}, None]
    assert cells[1][1]["tone"] == "plain"


def test_quantiles_without_an_interval_are_open() -> None:
    kept = Evidence()
    kept.quantiles("q", {"v1": [Quantile(0.99, 12.0, 11.0, float("inf"))]})
    assert only(kept)["seen"]["arms"]["v1"] == [{"quantile": 0.99, "value": 12.0, "low": 11.0, "high": None}]


def test_file_is_named_by_its_content_and_written_below_the_run(tmp_path: Path) -> None:
    kept = Evidence()
    kept.file("../../a trace.svg", "<svg/>")
    seen = only(kept)["seen"]
    assert seen["path"].startswith("files/a-trace-") and seen["path"].endswith(".svg")
    assert (seen["bytes"], seen["media_type"]) == (6, "image/svg+xml")
    kept.write_files(tmp_path)
    assert (tmp_path / seen["path"]).read_text() == "<svg/>"


def test_files_of_one_name_do_not_meet(tmp_path: Path) -> None:
    kept = Evidence()
    kept.file("body.bin", b"\x00")
    kept.file("body.bin", b"\x01")
    kept.write_files(tmp_path)
    assert sorted(path.read_bytes() for path in (tmp_path / "files").iterdir()) == [b"\x00", b"\x01"]


@pytest.mark.parametrize("value", [np.float64(0.5), np.int64(7), np.array([[1, 2]]), float("nan"), float("inf")])
def test_every_number_is_json(value: object) -> None:
    kept = Evidence()
    kept.add("n", value)
    assert "numpy" not in json.dumps(only(kept), allow_nan=False)


def test_names_of_a_matrix_break_at_their_joints() -> None:
    kept = Evidence()
    kept.matrix("m", ["a"], ["responder.outside:5000 service"], {("a", "responder.outside:5000 service"): "yes"})
    html = str(render(Item("m", "matrix", only(kept)["seen"], Path(), "key")))
    assert '<th scope="col">responder.<wbr>outside:<wbr>5000 service</th>' in html
    assert 'data-label="responder.outside:5000 service"' in html


@pytest.mark.parametrize("holds", [None, True])
def test_parity_has_columns_for_a_judgement_only_when_there_is_one(holds: bool | None) -> None:
    kept = Evidence()
    kept.parity("p", [ParityRow("p50", 4.0, 4.1, holds=holds, unit="ms")])
    html = str(render(Item("p", "parity", only(kept)["seen"], Path(), "key")))
    assert ("they agree" in html) is ("agrees" in html) is (holds is not None)
    assert "+2.5 %" in html
