"""What generators and the coordinator tell each other, in Locust's messages."""

from __future__ import annotations

__all__ = ["BEGIN", "ENOUGH", "ROWS"]

BEGIN = "meshproof-begin"
"""To the generators: the run's id, the options, the moment of the beginning, the number of all users."""
ROWS = "meshproof-rows"
"""From a generator: rows, counters, and before which start they are complete; with `last` there are no more."""
ENOUGH = "meshproof-enough"
"""To the generators: no further start."""
