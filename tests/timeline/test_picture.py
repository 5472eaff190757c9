from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_hex

from meshproof.timeline import Timeline
from meshproof.timeline.picture import draw, write_picture


@pytest.fixture
def timeline() -> Timeline:
    """a: 0 to 2 s, then beside each other b: 2 to 9 s, and c: 2 to 5 s, which fails; d never began."""
    seconds = iter([0.0, 0.0, 2.0, 2.0, 2.0, 5.0, 9.0])
    timeline = Timeline(clock=lambda: next(seconds))
    with timeline.step("a", group="bed"):
        pass
    with timeline.step("b", group="stack", after=("a",)):
        _fail(timeline)
    timeline.announce("d", group="stack")
    return timeline


def _fail(timeline: Timeline) -> None:
    with pytest.raises(RuntimeError), timeline.step("c", group="stack", after=("a",)):
        raise RuntimeError


def bars(timeline: Timeline) -> dict[str, tuple[float, float, str]]:
    """Name to beginning, length and colour of each bar."""
    (axes,) = draw(timeline, title="t").axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    drawn: Sequence[Any] = [container.patches[0] for container in axes.containers]
    return {n: (bar.get_x(), bar.get_width(), to_hex(bar.get_facecolor())) for n, bar in zip(names, drawn, strict=True)}


def test_each_step_that_took_place_is_a_bar_of_its_length(timeline: Timeline) -> None:
    assert {name: bar[:2] for name, bar in bars(timeline).items()} == {"a": (0, 2), "b": (2, 7), "c": (2, 3)}


def test_the_longest_path_and_failures_have_colours_of_their_own(timeline: Timeline) -> None:
    colours = {name: colour for name, (_, _, colour) in bars(timeline).items()}
    assert colours["a"] == colours["b"]
    assert len({colours["b"], colours["c"]}) == 2


def test_the_axis_says_seconds_and_the_title_the_total_and_the_failure(timeline: Timeline) -> None:
    (axes,) = draw(timeline, title="Setting up").axes
    assert axes.get_xlabel() == "seconds since the start"
    assert axes.get_title(loc="left") == "Setting up: failed after 9.0 s"


def test_a_png_is_wide_enough_to_read(timeline: Timeline, tmp_path: Path) -> None:
    write_picture(timeline, tmp_path / "new" / "timeline.png")
    width, height = struct.unpack(">II", (tmp_path / "new" / "timeline.png").read_bytes()[16:24])
    assert width >= 1600
    assert height >= 300


def test_an_svg_is_written_too(timeline: Timeline, tmp_path: Path) -> None:
    write_picture(timeline, tmp_path / "timeline.svg")
    assert "<svg" in (tmp_path / "timeline.svg").read_text()


def test_an_empty_timeline_can_be_drawn(tmp_path: Path) -> None:
    write_picture(Timeline(), tmp_path / "timeline.png")
    assert (tmp_path / "timeline.png").stat().st_size > 1000
