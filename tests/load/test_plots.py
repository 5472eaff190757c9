"""The canary's picture is drawn from rows."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from made_rows import made

from meshproof.load.plots import draw_canary
from meshproof.load.rows import Rows


@pytest.mark.parametrize("rows", [made(800, failing=0.1), made(50, share=0.0), made(30, failing=1.0), Rows.of([])])
def test_a_picture_is_drawn_whatever_was_measured(rows: Rows, tmp_path: Path) -> None:
    draw_canary(rows, ["v1", "v2"], tmp_path / "canary.svg")
    assert ElementTree.parse(tmp_path / "canary.svg").getroot().tag.endswith("svg")
