"""Python packages put into a folder, with whichever installer this interpreter has."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from meshproof.programs import ProgramFailed, run

__all__ = ["install_packages"]


def install_packages(
    words: Sequence[str],
    target: Path,
    *,
    cache: Path,
    timeout: float,
    python: str | None = None,
    cwd: Path | None = None,
) -> None:
    """Install wheels for `words` (requirements, or `-r FILE`) into `target`.

    `python` such as 3.11 asks for wheels that fit that version, whatever Python runs this. `cache` is a folder to keep
    a private pip in, which is made when neither this interpreter nor PATH has an installer.

    Raises ProgramFailed with the installer's own words.
    """
    argv = [*_installer(cache, timeout), "--target", str(target), "--only-binary", ":all:"]
    if python is not None:
        argv += ["--python-version", python]
    run(
        [*argv, *words],
        timeout=timeout,
        cwd=cwd,
        env={"PIP_CONSTRAINT": "", "UV_CONSTRAINT": ""},  # those of our own environment are not the app's
        remedy="see whether the package index of this machine serves the packages in the versions named",
    )


def _installer(cache: Path, timeout: float) -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    if (uv := shutil.which("uv")) is not None:
        return [uv, "pip", "install", "--quiet"]
    private = cache / "pip"
    python = private / "bin" / "python"
    if not python.exists():
        try:
            run([sys.executable, "-m", "venv", "--clear", private], timeout=timeout)
        except ProgramFailed as error:
            raise ProgramFailed(
                "there is no installer for Python packages", error.completed, remedy="install pip or uv"
            ) from error
    return [str(python), "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
