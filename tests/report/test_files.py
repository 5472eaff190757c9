from __future__ import annotations

from pathlib import Path

from meshproof.report.files import write_timeline
from meshproof.timeline import Timeline


def test_a_run_that_was_refused_leaves_no_timeline(tmp_path: Path) -> None:
    write_timeline(Timeline(), tmp_path / "set-up")
    assert not (tmp_path / "set-up").exists()


def test_a_run_that_began_leaves_data_and_picture(tmp_path: Path) -> None:
    timeline = Timeline()
    with timeline.step("engine", group="bed"):
        pass
    write_timeline(timeline, tmp_path / "set-up")
    assert {path.name for path in (tmp_path / "set-up").iterdir()} == {"timeline.json", "timeline.png"}
