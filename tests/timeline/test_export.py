from __future__ import annotations

import json
from pathlib import Path

from meshproof.timeline import Span, State, Timeline
from meshproof.timeline.export import as_data, longest_path, write_json


def span(name: str, began: float, ended: float | None, *after: str) -> Span:
    return Span(name, "g", State.DONE, began=began, ended=ended, after=after)


def test_the_longest_path_follows_what_each_step_waited_for() -> None:
    spans = [span("a", 0, 2), span("b", 0, 5), span("c", 5, 9, "a", "b"), span("d", 5, 6, "b")]
    assert longest_path(spans) == ("b", "c")


def test_a_step_that_names_nothing_was_held_up_by_what_ended_before_it() -> None:
    spans = [span("engine", 0, 1), span("cluster", 1, 16), span("istio", 16, 27), span("apps", 27, 35, "istio")]
    assert longest_path(spans) == ("engine", "cluster", "istio", "apps")


def test_a_step_that_overlaps_everything_began_by_itself() -> None:
    assert longest_path([span("a", 0, 4), span("b", 3, 9)]) == ("b",)


def test_a_step_that_still_runs_is_on_no_path() -> None:
    assert longest_path([span("a", 0, 1), span("b", 1, None, "a")]) == ("a",)


def test_nothing_has_no_path() -> None:
    assert longest_path([]) == ()


def test_steps_of_no_length_do_not_go_round_in_circles() -> None:
    assert longest_path([span("a", 1, 1), span("b", 1, 1)]) in (("a", "b"), ("b", "a"))


def test_the_file_holds_what_the_timeline_saw(tmp_path: Path) -> None:
    seconds = iter([0.0, 1.0, 3.5])
    timeline = Timeline(clock=lambda: next(seconds))
    with timeline.step("metallb", group="stack") as step:
        step.note("v0.15.2")
    write_json(timeline, tmp_path / "new" / "timeline.json")
    data = json.loads((tmp_path / "new" / "timeline.json").read_text())
    assert data == as_data(timeline)
    assert (data["seconds"], data["longest_path"]) == (3.5, ["metallb"])
    assert data["spans"] == [
        {
            "name": "metallb",
            "group": "stack",
            "state": "done",
            "began": 1.0,
            "ended": 3.5,
            "after": [],
            "note": "v0.15.2",
        }
    ]
