"""The labels that mark what is ours in a cluster."""

from __future__ import annotations

__all__ = ["RUN_LABEL", "SESSION_LABEL"]

RUN_LABEL = "meshproof.dev/run"
"""On all that a run has made: the run's id."""
SESSION_LABEL = "meshproof.dev/session"
"""On what a check makes for as long as it lasts: the session's id."""
