"""Pictures of a canary run: quantile curves with their intervals, latency over time, error rates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from meshproof.load.rows import Rows
from meshproof.verdict.arrays import Bools
from meshproof.verdict.quantiles import quantile_interval

__all__ = ["draw_canary"]

_QUANTILES = (*np.arange(0.05, 0.95, 0.05), 0.95, 0.975, 0.99)
_COLOURS = ("#0b6bcb", "#c2410c", "#8250df", "#1b7c83")
_WINDOWS = 60


def draw_canary(rows: Rows, arms: Sequence[str], file: Path, *, alpha: float = 0.001) -> None:
    """Write an SVG. The intervals of the curves hold at each quantile with probability 1 - alpha.

    Latency counts from the intended start.
    """
    rows = rows.in_order()
    arm = rows.arm(arms)
    figure = Figure(figsize=(11, 9), layout="constrained")
    FigureCanvasSVG(figure)
    above, middle, below = figure.subplots(3, 1, height_ratios=(3, 3, 1.4))
    seconds = (rows.start - rows.start[0]) / 1e6 if len(rows) else np.zeros(0)
    for place, name in enumerate(arms):
        mine = arm == place
        good = mine & ~rows.failed
        if good.any():
            _curve(above, rows, good, name, _COLOURS[place % len(_COLOURS)], alpha)
            _over_time(middle, seconds[good], rows.response[good] * 1e3, name, _COLOURS[place % len(_COLOURS)])
        if mine.any():
            _errors(below, seconds[mine], rows.failed[mine], name, _COLOURS[place % len(_COLOURS)])
    above.set(xlabel="quantile", ylabel="ms", yscale="log", title="Latency quantiles with their intervals")
    middle.set(ylabel="ms", yscale="log", title="Latency over time: p50 (line), p99 (dotted), each window")
    below.set(xlabel="seconds", ylabel="%", title="Failed requests", ylim=(0, None))
    for axes in (above, middle, below):
        axes.grid(alpha=0.25)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, format="svg", metadata={"Date": None})


def _curve(axes: Any, rows: Rows, chosen: Bools, name: str, colour: str, alpha: float) -> None:
    values = rows.response[chosen] * 1e3
    middle = np.quantile(values, _QUANTILES, method="inverted_cdf")
    ends = np.array([quantile_interval(values, quantile, alpha) for quantile in _QUANTILES])
    high = np.minimum(ends[:, 1], values.max())
    axes.fill_between(_QUANTILES, np.maximum(ends[:, 0], values.min()), high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(_QUANTILES, middle, color=colour, label=f"{name} ({values.size:,})")


def _over_time(axes: Any, seconds: Any, values: Any, name: str, colour: str) -> None:
    edges = np.linspace(0, max(float(seconds.max()), 1e-9), _WINDOWS + 1)
    window = np.clip(np.digitize(seconds, edges) - 1, 0, _WINDOWS - 1)
    for quantile, style in ((0.5, "-"), (0.99, ":")):
        points = [
            (float((edges[at] + edges[at + 1]) / 2), float(np.quantile(values[window == at], quantile)))
            for at in range(_WINDOWS)
            if np.any(window == at)
        ]
        label = f"{name} p{100 * quantile:g}"
        axes.plot([x for x, _ in points], [y for _, y in points], style, color=colour, label=label)


def _errors(axes: Any, seconds: Any, failed: Bools, name: str, colour: str) -> None:
    edges = np.linspace(0, max(float(seconds.max()), 1e-9), _WINDOWS + 1)
    sent, _ = np.histogram(seconds, edges)
    lost, _ = np.histogram(seconds[failed], edges)
    axes.step((edges[:-1] + edges[1:]) / 2, 100 * lost / np.maximum(sent, 1), where="mid", color=colour, label=name)
