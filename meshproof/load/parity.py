"""The requests of a run as Datadog knows them: each one's span beside the client's row.

The first span of a request is that of the first proxy: it carries the User-Agent, and in that the mark of the row. Both
are timed on the same machine here, so that the proxy's time has to lie within the client's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from meshproof.intake.backend import Span
from meshproof.load.rows import Rows, request_mark
from meshproof.verdict.arrays import Floats

__all__ = ["Parity", "first_spans", "parity"]

_MARK = re.compile(r"\(\d+\.\d+\)$")
_SKEW = 2_000
"""Microseconds: what Envoy's clock, read once in an event loop's turn, may be off from ours."""


def first_spans(service: str, run_id: str) -> str:
    """A search for the first span of every request of a run, as its first proxy's service tells it."""
    return f"service:{service} @user_agent:*{run_id}*"


@dataclass(frozen=True)
class Parity:
    """What the backend knows of a run. `spans` counts them by arm; `missing` are rows without a span, `surplus` spans
    without a row or beside another one of the same request. Of the pairs: `wrong_arm` and `wrong_status` differ from
    the client's, `outside` are not within its time. `rows` and `first` are the pairs, in one order."""

    spans: dict[str, int]
    missing: int
    surplus: int
    wrong_arm: int
    wrong_status: int
    outside: int
    rows: Rows
    first: tuple[Span, ...]

    @property
    def proxy(self) -> Floats:
        """Seconds that the first proxy took for each pair; the client's are `rows.service`."""
        return np.array([span.duration / 1e9 for span in self.first], dtype=np.float64)

    @property
    def wrong(self) -> list[str]:
        """What does not agree, in words."""
        told = (
            (self.missing, "requests have no span"),
            (self.surplus, "spans belong to no request, or to one that has another"),
            (self.wrong_arm, "spans name another arm than the answer did"),
            (self.wrong_status, "spans name another status than the answer had"),
            (self.outside, "spans are not within the time of their request"),
        )
        return [f"{number:,} {what}" for number, what in told if number]


def parity(rows: Rows, spans: Iterable[Span], arms: Sequence[str]) -> Parity:
    """Pair rows and spans by the requests' marks. A row without an answer needs no span, and no span's status."""
    by_mark = {
        request_mark(int(user), int(start)): place
        for place, (user, start) in enumerate(zip(rows.user, rows.start, strict=True))
    }
    arm = rows.arm(arms)
    counts: Counter[str] = Counter()
    pairs: dict[int, Span] = {}
    surplus = wrong_arm = wrong_status = outside = 0
    for span in spans:
        found = _MARK.search(str(span.attributes.get("user_agent") or ""))
        place = by_mark.get(found[0]) if found else None
        if place is None or place in pairs:
            surplus += 1
            continue
        pairs[place] = span
        named = _arm_of(span)
        counts[named] += named in arms
        if rows.status[place] == 0:
            continue
        wrong_arm += arm[place] >= 0 and named != arms[arm[place]]
        wrong_status += str(span.attributes.get("http.status_code")) != str(rows.status[place])
        begin, end = span.start // 1000, (span.start + span.duration) // 1000
        outside += bool(begin < rows.start[place] - _SKEW or end > rows.end[place] + _SKEW)
    places = np.array(sorted(pairs), dtype=np.int64)
    answered = int(np.count_nonzero(rows.status != 0))
    return Parity(
        spans={name: counts[name] for name in arms},
        missing=answered - int(np.count_nonzero(rows.status[places] != 0)),
        surplus=surplus,
        wrong_arm=int(wrong_arm),
        wrong_status=int(wrong_status),
        outside=int(outside),
        rows=rows.where(places),
        first=tuple(pairs[int(place)] for place in places),
    )


def _arm_of(span: Span) -> str:
    """The subset in the name of the cluster that the proxy chose, as "outbound|80|v2|HOST"."""
    parts = str(span.attributes.get("upstream_cluster") or "").split("|")
    return parts[2] if len(parts) == 4 else ""
