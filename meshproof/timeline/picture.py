"""The timeline as a picture: a waterfall of all steps, the longest path marked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from meshproof.timeline.export import longest_path
from meshproof.timeline.record import Span, State, Timeline

__all__ = ["draw", "write_picture"]

_WIDTH = 11.0
_ROW = 0.30
_FRAME = 1.55
_BAR = 0.62
_INK = "#1f2933"
_FAINT = "#7b8794"
_LONGEST = "#d9541e"
_OTHER = "#9fb3c8"
_FAILED = "#b00020"
_BAND = "#f5f7fa"


def write_picture(timeline: Timeline, path: Path, *, title: str = "Setting up the cluster") -> None:
    """Draw into a .png or .svg file, folders made as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = draw(timeline, title=title)
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=150, facecolor="white")


def draw(timeline: Timeline, *, title: str) -> Figure:
    """One row a step, in the order in which they began; the x-axis is seconds from the start."""
    spans = _rows(timeline.spans)
    longest = longest_path(spans)
    end = max((span.ended or 0.0 for span in spans), default=0.0) or 1.0
    figure = Figure(figsize=(_WIDTH, _FRAME + _ROW * max(len(spans), 3)), layout="constrained")
    axes: Axes = figure.add_subplot()
    for row, span in enumerate(spans):
        _bar(axes, row, span, marked=span.name in longest, end=end)
    _bands(axes, spans, end)
    axes.set_yticks(range(len(spans)), [span.name for span in spans], color=_INK, fontsize=9)
    axes.set_ylim(len(spans) - 0.4, -0.6)
    axes.set_xlim(0, end * 1.13)
    axes.set_xlabel("seconds since the start", color=_INK, fontsize=9)
    failed = "failed after " if any(span.state is State.FAILED for span in spans) else ""
    axes.set_title(f"{title}: {failed}{end:.1f} s", color=_INK, fontsize=13, loc="left", pad=26, fontweight="bold")
    axes.tick_params(axis="both", length=0, labelcolor=_INK, labelsize=9)
    axes.grid(axis="x", color="#d9e2ec", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.legend(
        handles=_legend(spans),
        loc="lower left",
        bbox_to_anchor=(-0.005, 1.0),
        ncols=4,
        frameon=False,
        fontsize=9,
        labelcolor=_INK,
        handlelength=1.2,
        borderaxespad=0.3,
    )
    return figure


def _rows(spans: Sequence[Span]) -> list[Span]:
    """The steps that took place, in the order in which they began."""
    took = [span for span in spans if span.began is not None and span.ended is not None]
    return sorted(took, key=lambda span: span.began or 0.0)


def _bar(axes: Axes, row: int, span: Span, *, marked: bool, end: float) -> None:
    began = span.began or 0.0
    took = span.elapsed(end)
    colour = _FAILED if span.state is State.FAILED else _LONGEST if marked else _OTHER
    faint = span.state is State.SKIPPED
    # A step of a few milliseconds is still to be seen.
    axes.barh(row, max(took, end * 0.003), left=began, height=_BAR, color=colour, alpha=0.45 if faint else 1.0)
    words = [f"{took:.1f} s"] if took or not faint else []
    words += [span.state.value] if span.state in (State.FAILED, State.SKIPPED) else []
    axes.annotate(
        ", ".join(words),
        (began + max(took, end * 0.003), row),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        color=_INK if marked or span.state is State.FAILED else _FAINT,
        fontweight="bold" if marked else "normal",
    )


def _bands(axes: Axes, spans: Sequence[Span], end: float) -> None:
    """A background for every second stretch of steps of one group, and the group's name at the right edge."""
    first = 0
    for number, (group, members) in enumerate(groupby(spans, key=lambda span: span.group)):
        last = first + len(list(members)) - 1
        if number % 2 == 0:
            axes.axhspan(first - 0.5, last + 0.5, color=_BAND, zorder=0)
        axes.text(end * 1.125, first, group, ha="right", va="center", fontsize=9, color=_FAINT, style="italic")
        first = last + 1


def _legend(spans: Sequence[Span]) -> list[Patch]:
    states = {span.state for span in spans}
    entries = [Patch(color=_LONGEST, label="longest path"), Patch(color=_OTHER, label="beside it")]
    if State.SKIPPED in states:
        entries.append(Patch(color=_OTHER, alpha=0.45, label="skipped"))
    if State.FAILED in states:
        entries.append(Patch(color=_FAILED, label="failed"))
    return entries
