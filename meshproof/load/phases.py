"""Weights that change while traffic flows: when each revision took effect, and what was answered under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meshproof.load.rows import Rows

__all__ = ["Change", "changes"]


@dataclass(frozen=True)
class Change:
    """One revision. `seconds` is from its being applied to the last start of a request that was still answered under
    an earlier one (0 without any); `mixed` how many requests both revisions shared that time. `rows` are those of this
    revision that started after it and before the next change. `returned` counts requests of an earlier revision after
    `settle` seconds: configuration that came back, or a proxy that was forgotten."""

    revision: str
    applied: int
    seconds: float
    mixed: int
    returned: int
    rows: Rows


def changes(rows: Rows, applied: Sequence[tuple[str, int]], settle: float) -> tuple[Change, ...]:
    """Split rows, in the order of their starts, at revisions that were applied at those times (microseconds, in order).

    Requests without a revision (no answer) belong to none. A revision that never answered has no rows.
    """
    found = []
    for place, (revision, at) in enumerate(applied):
        until = applied[place + 1][1] if place + 1 < len(applied) else np.iinfo(np.int64).max
        during = rows.where((rows.start >= at) & (rows.start < until))
        known = np.array([value is not None for value in during.revision], dtype=np.bool_)
        old = known & (during.revision != revision)
        late = old & (during.start > at + settle * 1e6)
        early = old & ~late
        last_old = int(during.start[early].max()) if early.any() else at
        own = np.asarray(during.revision == revision, dtype=np.bool_)
        found.append(
            Change(
                revision=revision,
                applied=at,
                seconds=(last_old - at) / 1e6,
                mixed=int(np.count_nonzero(own & (during.start <= last_old))),
                returned=int(np.count_nonzero(late)),
                rows=during.where(own & (during.start > last_old)),
            )
        )
    return tuple(found)
