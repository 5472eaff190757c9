"""One error rate for a whole night, shared out to its checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meshproof.errors import UsageError

__all__ = ["share_out"]


def share_out(alpha: float, checks: Sequence[str] | Mapping[str, float]) -> dict[str, float]:
    """alpha for each check, in equal parts or by weight. By the union bound, the probability that any check is wrong is
    at most their sum, which is `alpha`, however the checks depend on one another.

    Raises UsageError when there is no check or a weight is not positive.
    """
    weights = dict(checks) if isinstance(checks, Mapping) else dict.fromkeys(checks, 1.0)
    if not weights or min(weights.values()) <= 0:
        raise UsageError("this error budget cannot be shared out", seen=weights, remedy="weights above 0")
    total = sum(weights.values())
    return {name: alpha * weight / total for name, weight in weights.items()}
