"""The list of services: requests, errors and latencies of each, as Datadog counts them in the agent's statistics.

The trace-agent counts every span that is the first of its service in a payload, traced or sampled out, in buckets of
ten seconds by the end of the span (datadog-agent pkg/trace/stats v0.85.1). Of Envoy's spans these are the receiving and
the outgoing ones of a sidecar, and a gateway's first one; the second one of a gateway is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from meshproof.errors import InvalidMeasurement
from meshproof.intake.backend import Backend, Span

__all__ = [
    "BUCKET",
    "FIGURES_TOLERANCE",
    "QUANTILES",
    "Count",
    "Figures",
    "Window",
    "counted",
    "figures_of",
    "quantile_range",
    "wrong_counts",
    "wrong_quantiles",
]

BUCKET = 10
"""Seconds of a bucket."""

_LATE = 20
"""Seconds by which a count may appear too late: what a tracer has counted itself is moved to the oldest bucket that the
agent still takes (datadog-agent pkg/trace/stats/client_stats_aggregator.go v0.85.1: 20 s)."""

QUANTILES = (0.5, 0.99)

# The sketch keeps values within 1 %. Before that the agent cuts the mantissa of a duration after 9 binary digits, which
# makes it up to 2^-9 shorter, and never longer (datadog-agent pkg/trace/stats/statsraw.go v0.85.1: nsTimestampToFloat).
_SHORTEST, _LONGEST = (1 - 0.01) * (1 - 2**-9), 1 + 0.01

FIGURES_TOLERANCE = 1 - _SHORTEST
"""By how much of itself a quantile of the agent's figures may differ from that of the spans."""


@dataclass(frozen=True)
class Window:
    """Whole buckets, in seconds since 1970; `end` is not in it."""

    start: int
    end: int

    @classmethod
    def around(cls, began: float, ended: float) -> Window:
        """The buckets of everything that ended between two moments, and of what is counted late."""
        return cls(int(began // BUCKET) * BUCKET, (int(ended // BUCKET) + 1) * BUCKET + _LATE)

    @classmethod
    def within(cls, began: float, ended: float) -> Window:
        """The whole buckets between two moments. Raises InvalidMeasurement when there is none."""
        found = cls(math.ceil(began / BUCKET) * BUCKET, int(ended // BUCKET) * BUCKET)
        if found.start >= found.end:
            seen = f"{ended - began:.1f} s"
            raise InvalidMeasurement(f"no whole bucket of {BUCKET} s lies in that time", seen=seen)
        return found

    def as_evidence(self) -> str:
        """For people."""
        ends = (datetime.fromtimestamp(moment, UTC) for moment in (self.start, self.end))
        return f"{' to '.join(f'{end:%H:%M:%S}' for end in ends)} UTC"

    @property
    def interval(self) -> int:
        """An interval in seconds of which one piece holds the whole window, for `.rollup(interval)`: quantiles cannot
        be added up. Pieces begin at multiples of their length."""
        length = self.end - self.start
        return next(size for size in range(length, 10**6, BUCKET) if self.start // size == (self.end - 1) // size)


@dataclass(frozen=True)
class Count:
    """Which spans to count: those of a service and an operation that ended with an HTTP status."""

    service: str
    operation: str
    status: int

    @property
    def filter(self) -> str:
        """For a metric query."""
        return f"{{service:{self.service},http.status_code:{self.status}}}"

    def __str__(self) -> str:
        return f"{self.service} {self.operation} {self.status}"


@dataclass(frozen=True)
class Figures:
    """What is known of a `Count`: requests, errors, and quantiles in seconds in the order of QUANTILES."""

    hits: float
    errors: float
    quantiles: tuple[float | None, ...] = ()

    @property
    def error_rate(self) -> float | None:
        """Errors as a part of the requests."""
        return self.errors / self.hits if self.hits else None


def counted(backend: Backend, count: Count, window: Window) -> Figures:
    """What the backend has counted in a window until now."""
    since, until = (datetime.fromtimestamp(moment, UTC) for moment in (window.start, window.end - 1))

    def total(suffix: str) -> float:
        query = f"sum:trace.{count.operation}.{suffix}{count.filter}.as_count()"
        return sum(value for series in backend.metrics(query, since, until) for _, value in series.points)

    def quantile(share: float) -> float | None:
        query = f"p{share * 100:g}:trace.{count.operation}{count.filter}.rollup({window.interval})"
        values = [value for series in backend.metrics(query, since, until) for _, value in series.points]
        if len(values) > 1:
            raise InvalidMeasurement(
                "a quantile came in pieces, which cannot be put together", seen=f"{query}: {values}"
            )
        return values[0] if values else None

    return Figures(total("hits"), total("errors"), tuple(quantile(share) for share in QUANTILES))


def figures_of(spans: Iterable[Span]) -> Figures:
    """The same figures from spans that all arrived."""
    found = list(spans)
    durations = [span.duration / 1e9 for span in found]
    middles = tuple(sum(quantile_range(durations, share)) / 2 for share in QUANTILES) if found else ()
    return Figures(len(found), sum(span.error for span in found), middles)


def quantile_range(values: Sequence[float], share: float) -> tuple[float, float]:
    """The values between which any usual definition of a quantile puts it: the order statistics around its rank.

    Raises ValueError without any values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    rank = share * (len(ordered) - 1)
    return ordered[math.floor(rank)], ordered[min(math.floor(rank) + 1, len(ordered) - 1)]


def wrong_counts(count: Count, sent: int, failed: int, figures: Figures) -> list[str]:
    """What is wrong with the counts of `sent` requests, of which `failed` ended with an error."""
    found = []
    if figures.hits != sent:
        found.append(f"{count}: {figures.hits:g} requests were counted, {sent} were sent")
    if figures.errors != failed:
        found.append(f"{count}: {figures.errors:g} errors were counted, {failed} requests failed")
    return found


def wrong_quantiles(count: Count, spans: Sequence[Span], figures: Figures) -> list[str]:
    """Quantiles that are not those of the spans' durations, within the error of the agent's sketch.

    Raises InvalidMeasurement when there are no spans to compare with.
    """
    if not spans:
        raise InvalidMeasurement(f"{count}: no span arrived whose duration could be compared")
    durations = [span.duration / 1e9 for span in spans]
    found = []
    for share, told in zip(QUANTILES, figures.quantiles, strict=True):
        low, high = quantile_range(durations, share)
        allowed = (low * _SHORTEST, high * _LONGEST)
        name = f"p{share * 100:g}"
        if told is None:
            found.append(f"{count}: there is no {name}")
        elif not allowed[0] <= told <= allowed[1]:
            by_spans = f"{allowed[0] * 1e3:.3f} to {allowed[1] * 1e3:.3f} ms"
            found.append(f"{count}: {name} is {told * 1e3:.3f} ms, by the spans {by_spans}")
    return found
