"""Refusals: every payload or query that is turned away, with the HTTP status and a word to count it under."""

from __future__ import annotations

__all__ = ["Rejected", "at_most", "malformed", "too_large"]


class Rejected(Exception):
    """Answered with `status`; counted under `reason`; `detail` is what the sender is told."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        self.status = status
        self.reason = reason
        self.detail = detail
        super().__init__(f"{status} {reason}: {detail}")


def malformed(detail: object) -> Rejected:
    return Rejected(400, "malformed", str(detail)[:500])


def too_large(detail: str) -> Rejected:
    return Rejected(413, "too_large", detail)


def at_most(most: int, count: int, what: str) -> None:
    """Raises Rejected (413) for a payload that holds more than `most` of something."""
    if count > most:
        raise too_large(f"more than {most} {what} in one payload")
