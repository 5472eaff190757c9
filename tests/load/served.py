"""A server with two arms, as a program of its own."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any


@dataclass
class Served:
    """A server with two arms that is up."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def end(self) -> dict[str, Any]:
        """Stop it; what it counted."""
        self.process.terminate()
        told, _ = self.process.communicate(timeout=10)
        return dict(json.loads(told))
