"""SIGTERM takes the same way out as Ctrl-C, so that everything that was begun is cleaned up."""

from __future__ import annotations

import signal
from types import FrameType

__all__ = ["terminate_like_interrupt"]


def terminate_like_interrupt() -> None:
    """From now on SIGTERM raises KeyboardInterrupt in the main thread."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
