"""Wakes a greenlet when a start is due.

libev waits in epoll_wait, which knows whole milliseconds: gevent's own timers are half of one late at the median, and a
whole one often. A timer of the kernel's, as a file that becomes readable, is not.
"""

from __future__ import annotations

import ctypes
import os
import time
from typing import Any

import gevent

__all__ = ["Alarm"]

_SECOND = 10**9
_READABLE = 1


class _Spec(ctypes.Structure):
    """struct itimerspec: the interval of a timer that goes off again, and when it goes off first."""

    _fields_ = (
        ("again_seconds", ctypes.c_long),
        ("again_nanoseconds", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    )


class Alarm:
    """For one greenlet at a time. Where the kernel has no such timers, it is as punctual as gevent."""

    def __init__(self) -> None:
        # The interpreter's lock is kept during calls, or a thread that computes might take it.
        self._c = ctypes.PyDLL(None, use_errno=True)
        made = getattr(self._c, "timerfd_create", None)
        self._file = made(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC) if made else -1
        self._due: Any = gevent.get_hub().loop.io(self._file, _READABLE) if made else None

    def sleep(self, seconds: float) -> None:
        """As gevent.sleep."""
        if seconds <= 0 or self._file < 0:
            gevent.sleep(max(seconds, 0))
            return
        whole, rest = divmod(max(int(seconds * _SECOND), 1), _SECOND)
        # To set it is also to take back what was readable.
        self._c.timerfd_settime(self._file, 0, ctypes.byref(_Spec(0, 0, whole, rest)), None)
        gevent.get_hub().wait(self._due)

    def close(self) -> None:
        """Not while somebody sleeps."""
        if self._file >= 0:
            self._due.close()
            os.close(self._file)
            self._file = -1
