"""Faults and spoils of the embedded intake: a mutant switches them on, and whoever mends it switches them off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from meshproof.datadog import watching
from meshproof.errors import UsageError
from meshproof.intake.client import IntakeControl
from meshproof.mesh import Mesh
from meshproof.waiting import eventually

__all__ = ["calm", "inject", "spoil"]


def inject(mesh: Mesh, faults: Sequence[Mapping[str, Any]]) -> None:
    """Switch on exactly these faults; they stay on until `calm`.

    Raises UsageError where Datadog itself is asked, MeshproofError when the intake does not take them.
    """
    with _intake(mesh) as intake:
        intake.inject(*faults)


def spoil(mesh: Mesh, spoils: Sequence[Mapping[str, Any]]) -> None:
    """Switch on exactly these spoils, in the same way."""
    with _intake(mesh) as intake:
        intake.spoil(*spoils)


def calm(mesh: Mesh) -> None:
    """Switch all faults and spoils off, whoever switched them on; an intake that is not ready yet is waited for.

    Raises StateNotReached.
    """

    def switched_off() -> bool:
        with watching(mesh) as datadog:
            if datadog.intake is not None:
                datadog.intake.calm()
                datadog.intake.unspoil()
        return True

    eventually(switched_off, timeout=mesh.timeouts.rollout, what="the faults of the intake are off", every=1.0)


@contextmanager
def _intake(mesh: Mesh) -> Iterator[IntakeControl]:
    with watching(mesh) as datadog:
        if datadog.intake is None:
            raise UsageError(
                "a mutant asks for faults of the embedded intake, and there is none",
                seen=f"--datadog {datadog.mode.value}",
                remedy="leave the mutant out, or use --datadog intake",
            )
        yield datadog.intake
