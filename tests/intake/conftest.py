from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from intake_server import Intake, start

from meshproof.intake.server import IntakeSettings


@pytest.fixture(scope="session")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    """One intake for all tests that only add to it; each uses a mark of its own."""
    yield from start(IntakeSettings(folder=tmp_path_factory.mktemp("intake"), port=0))


@pytest.fixture
def own_intake(tmp_path: Path) -> Iterator[Intake]:
    """An intake for one test alone."""
    yield from start(IntakeSettings(folder=tmp_path / "intake", port=0))


@pytest.fixture
def mark() -> str:
    return f"mark{uuid.uuid4().hex[:12]}"
