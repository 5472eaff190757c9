"""How a check can end."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Verdict"]


class Verdict(StrEnum):
    """The end of one check that was made."""

    CONFORM = "CONFORM"
    VIOLATE = "VIOLATE"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"
