"""Mutants for tests."""

from __future__ import annotations

from typing import Any

from meshproof.prove.mutants import Mutant


def a_mutant(name: str, fails: dict[str, str], green: tuple[str, ...] = (), **more: Any) -> Mutant:
    """A mutant whose tests are named without their file."""
    content: dict[str, Any] = {
        "name": name,
        "breaks": "It.",
        "property": "mtls",
        "steps": [{"delete": {"apiVersion": "v1", "kind": "Pod", "name": name}}],
        "fails": [{"test": f"test_x.py::{test}", "because": because} for test, because in fails.items()],
        "green": [f"test_x.py::{test}" for test in green],
    }
    return Mutant.model_validate({**content, **more})
