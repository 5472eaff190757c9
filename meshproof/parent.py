"""A program that we began does not outlive us, however we end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from threading import Thread

__all__ = ["abandoned", "end_with_parent", "with_parent"]

_PARENT = "_MESHPROOF_PARENT"
_LOOK_EVERY = 0.1


def with_parent() -> dict[str, str]:
    """What the environment of a program has to say, so that it can tell when this process is gone."""
    return {_PARENT: str(os.getpid())}


def abandoned(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the process that began this one is gone. False when nobody says who that was."""
    parent = environment.get(_PARENT)
    return parent is not None and str(os.getppid()) != parent


def end_with_parent() -> None:
    """From now on, kill this process and its group as soon as the process that began it is gone.

    Only the leader of a group does: others would take whoever shares theirs with them.
    """

    def watch() -> None:
        while not abandoned():
            time.sleep(_LOOK_EVERY)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    if os.getpgrp() == os.getpid():
        Thread(target=watch, daemon=True).start()
