"""One run at a time, and a lock that dies with its holder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from meshproof.bed.locking import sole_use
from meshproof.errors import UsageError

HOLD = """
import sys
from pathlib import Path
from meshproof.bed.locking import sole_use
with sole_use(Path(sys.argv[1]), "it"):
    print("held", flush=True)
    input()
"""


def test_second_run_is_told_who_has_it(tmp_path: Path) -> None:
    lock = tmp_path / "clusters" / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with (
        pytest.raises(UsageError, match=f"using the cluster right now(.|\n)*process {holder.pid}"),
        sole_use(lock, "the cluster"),
    ):
        pass
    holder.kill()
    holder.communicate()
    with sole_use(lock, "the cluster"):
        pass
