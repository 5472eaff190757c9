"""The schedule goes before everything else on this machine, where that is allowed.

Measured on two cores with a load of nine beside it: at 300 requests a second 2 to 9 % of all starts came more than
10 ms late, at a nice value of -10 just as many (each session and each container has a share of its own), and none of
9,300 with real-time scheduling.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ahead_of_others"]

_PRIORITY = 10


@contextmanager
def ahead_of_others() -> Iterator[bool]:
    """Real-time scheduling of this thread and of those that it starts; says whether that is so.

    Needs root or CAP_SYS_NICE, and Linux. With one processor it is not done: then nothing else would run.
    """
    before = None
    if hasattr(os, "sched_setscheduler") and (os.cpu_count() or 1) > 1:
        try:
            before = os.sched_getscheduler(0), os.sched_getparam(0)
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_PRIORITY))
        except OSError:
            before = None
    try:
        yield before is not None
    finally:
        if before is not None:
            os.sched_setscheduler(0, *before)
