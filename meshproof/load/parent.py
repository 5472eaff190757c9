"""A load run does not outlive whoever began it, however that one ended."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["abandoned", "with_parent"]

_PARENT = "MESHPROOF_LOAD_PARENT"


def with_parent() -> dict[str, str]:
    """What the environment of a load run has to say, so that it ends when this process is gone."""
    return {_PARENT: str(os.getpid())}


def abandoned(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the process that began this one is gone. False when nobody says who that was."""
    parent = environment.get(_PARENT)
    return parent is not None and str(os.getppid()) != parent
