"""The embedded stand-in for Datadog's backend: agents write to it, the official API client reads from it."""

from __future__ import annotations

from meshproof.intake.limits import Limits
from meshproof.intake.server import IntakeSettings, running, serve

__all__ = ["IntakeSettings", "Limits", "running", "serve"]
