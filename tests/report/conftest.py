from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "load"))  # where rows are made

from sample_run import write_run


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """The folder of the sample run."""
    return write_run(tmp_path / "reports" / "20261120-080112")
