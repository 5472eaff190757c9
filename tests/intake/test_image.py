"""The intake's image has every module that the intake needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import meshproof

PACKAGE = Path(meshproof.__file__).parent


def test_what_the_dockerfile_copies_is_enough_to_start(tmp_path: Path) -> None:
    copies = re.findall(r"^COPY (?!--)(.*) (/app/\S+)$", (PACKAGE / "intake" / "Dockerfile").read_text(), re.MULTILINE)
    assert len(copies) == 2
    for sources, target in copies:
        folder = tmp_path / target.removeprefix("/app/")
        for source in map(PACKAGE.joinpath, sources.split()):
            if source.is_dir():
                shutil.copytree(source, folder, dirs_exist_ok=True)
            else:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, folder)
    # Only what the image has, and the libraries: neither this checkout nor where it is installed from.
    libraries = [path for path in sys.path if "site-packages" in path]
    starting = f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; import meshproof.intake.__main__ as it; print(it.__file__)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path += {libraries!r}; {starting}"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))
