"""Where a run's files go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from meshproof.timeline import Timeline
from meshproof.timeline.export import write_json

__all__ = ["flat", "point_latest", "write_timeline"]


def write_timeline(timeline: Timeline, folder: Path) -> None:
    """The set-up's steps as data and as a picture; nothing when nothing was begun."""
    if not timeline.spans:
        return
    from meshproof.timeline.picture import write_picture  # matplotlib takes longer to load than all the rest

    folder.mkdir(parents=True, exist_ok=True)
    write_json(timeline, folder / "timeline.json")
    write_picture(timeline, folder / "timeline.png")


def point_latest(reports: Path, folder: Path) -> None:
    """Let reports/latest lead to the run's folder."""
    link = reports / "latest"
    temporary = reports / ".latest"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.name, target_is_directory=True)
    temporary.replace(link)


def flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested facts as dotted names and texts, for JUnit's properties."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)
