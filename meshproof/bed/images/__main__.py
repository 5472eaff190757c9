"""Prepare the images in the engine that DOCKER_HOST names: `python -m meshproof.bed.images`."""

from __future__ import annotations

import sys

import docker
from rich.console import Console
from rich.live import Live
from rich.table import Table

from meshproof.bed.images import load_catalogue, prepare_images
from meshproof.errors import MeshproofError
from meshproof.files import data_root
from meshproof.settings import load_settings
from meshproof.timeline import State, Timeline

_MARKS = {
    State.WAITING: "[dim]waits[/]",
    State.RUNNING: "[yellow]runs[/]",
    State.DONE: "[green]done[/]",
    State.SKIPPED: "[dim]skipped[/]",
    State.FAILED: "[red]failed[/]",
}


def _table(timeline: Timeline) -> Table:
    table = Table(box=None)
    for column in ("step", "", "s", "doing"):
        table.add_column(column, justify="right" if column == "s" else "left", no_wrap=True)
    now = timeline.now()
    for span in timeline.spans:
        note = span.note or ", ".join(span.after)
        table.add_row(span.name, _MARKS[span.state], f"{span.elapsed(now):.1f}" if span.began is not None else "", note)
    return table


def main() -> int:
    """Prepare and say what there is."""
    console = Console()
    timeline = Timeline()
    try:
        settings = load_settings()
        catalogue = load_catalogue(data_root())
        with Live(get_renderable=lambda: _table(timeline), console=console, refresh_per_second=2):
            prepared = prepare_images(settings, catalogue, docker.from_env(), timeline)
    except KeyboardInterrupt:
        return 130
    except MeshproofError as error:
        console.print(f"[red]{error}[/]")
        return error.exit_code
    console.print(f"node image  {prepared.node_image}")
    for tool, path in prepared.tools.items():
        console.print(f"{tool:<11} {path}")
    for reference, digest in prepared.digests.items():
        console.print(f"{reference}  {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
