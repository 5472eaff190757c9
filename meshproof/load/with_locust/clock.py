"""One clock for intended starts, starts and ends."""

from __future__ import annotations

import time

__all__ = ["now"]

# Steady within a run, whatever happens to the machine's date; processes of one machine agree within microseconds.
_SINCE_1970 = time.time_ns() - time.perf_counter_ns()


def now() -> int:
    """Microseconds since 1970."""
    return (_SINCE_1970 + time.perf_counter_ns()) // 1000
