"""Errors for people: what is wrong, the value seen, what to do."""

from __future__ import annotations

from meshproof.secrecy import hidden

__all__ = ["Inconclusive", "InvalidMeasurement", "MeshproofError", "UsageError"]


class MeshproofError(Exception):
    """Something that a person has to know: `problem`, the value `seen`, and the `remedy`.

    `exit_code` is what a command that ends with this error returns. Secrets that are known show in none of the three.
    """

    exit_code = 1

    def __init__(self, problem: str, *, seen: object = None, remedy: str | None = None) -> None:
        self.problem = hidden(problem)
        self.seen = seen
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [self.problem]
        if self.seen is not None:
            lines.append(f"  seen: {self.seen}")
        if self.remedy is not None:
            lines.append(f"  what to do: {self.remedy}")
        return hidden("\n".join(lines))


class UsageError(MeshproofError):
    """Bad input: an option, a manifest, a file, a cluster that does not fit. Nothing was created or is left behind."""

    exit_code = 2


class InvalidMeasurement(MeshproofError):
    """A precondition of a measurement did not hold, so there is no verdict: INVALID, never a pass."""

    def __str__(self) -> str:
        return f"INVALID: {super().__str__()}"


class Inconclusive(MeshproofError):
    """A measurement was made as it should be, and did not decide: not enough data for the error rates asked for."""
