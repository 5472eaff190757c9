"""Statistics with stated error rates: pure functions over numbers, no I/O, no clock. Knows no other room.

Counts come in as numpy arrays, judgements go out as frozen dataclasses. Every judgement names the error rate `alpha`
that it keeps, and `python -m simulations` measures whether it does.
"""

from __future__ import annotations

from meshproof.verdict.verdicts import Verdict

__all__ = ["Verdict"]
