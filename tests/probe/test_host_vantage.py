from __future__ import annotations

from pathlib import Path

import pytest

from meshproof.errors import UsageError
from meshproof.probe import HostVantage


def test_authority_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="certificate authority"):
        HostVantage(ca=tmp_path / "nowhere.pem")


def test_authority_that_is_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hello")
    with pytest.raises(UsageError, match="certificate authority"):
        HostVantage(ca=tmp_path / "ca.pem")
