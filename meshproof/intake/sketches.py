"""Sketches as bins (value, weight), so that quantiles of several can be taken together."""

from __future__ import annotations

import math
from typing import Any

from meshproof.intake.wire import message

__all__ = ["Bins", "agent_bins", "ddsketch_bins", "quantile"]

Bins = list[tuple[float, float]]

# The agent's own sketch (datadog-agent pkg/util/quantile): relative error 1/128, smallest value 1e-9.
_GAMMA = 1 + 2 / 128
_SMALLEST = 1e-9
_BIAS = -math.floor(math.log(_SMALLEST) / math.log(_GAMMA)) + 1
_MOST_BINS = 8192


def agent_bins(keys: Any, counts: Any) -> Bins:
    """Bins of a Dogsketch: key k > 0 stands for gamma ** (k - bias), 0 for zero, -k for the negative value."""
    bins: Bins = []
    for key, count in zip(keys[:_MOST_BINS], counts[:_MOST_BINS], strict=False):
        value = 0.0 if key == 0 else math.copysign(_power(_GAMMA, abs(key) - _BIAS), key)
        bins.append((value, float(count)))
    return bins


def ddsketch_bins(encoded: bytes) -> Bins:
    """Bins of a DDSketch with logarithmic mapping, each at the middle (by relative error) of its range.

    Linear, quadratic and cubic interpolation are approximated by the logarithm, within the sketch's own error.
    Raises google.protobuf.message.DecodeError.
    """
    if not encoded:
        return []
    sketch = message("DDSketch").FromString(encoded)
    gamma, shift = sketch.mapping.gamma, sketch.mapping.index_offset
    if not 1 < gamma < 100 or not math.isfinite(shift):
        return []
    middle = 2 / (1 + gamma)
    bins: Bins = []
    for store, sign in ((sketch.negative, -1.0), (sketch.positive, 1.0)):
        for index, count in _store(store):
            bins.append((sign * _power(gamma, index - shift + 1) * middle, count))
    if sketch.zero_count:
        bins.append((0.0, sketch.zero_count))
    return [bin for bin in bins if bin[1] > 0 and math.isfinite(bin[1])]


def _store(store: Any) -> list[tuple[int, float]]:
    entries = [message("Bin").FromString(entry) for entry in store.bins[:_MOST_BINS]]
    pairs = [(entry.index, entry.count) for entry in entries]
    pairs += [(store.contiguous_offset + place, count) for place, count in enumerate(store.contiguous[:_MOST_BINS])]
    return pairs


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf


def quantile(bins: Bins, share: float) -> float | None:
    """The value below which `share` (0..1) of the weight lies; None without any weight."""
    total = sum(weight for _, weight in bins)
    if total <= 0:
        return None
    rank = share * (total - 1)
    seen = 0.0
    ordered = sorted(bins)
    for value, weight in ordered:
        seen += weight
        if seen > rank:
            return value
    return ordered[-1][0]
