#!/usr/bin/env python3
"""Run tox on a machine that has no tox: `python3 bootstrap.py [tox arguments]`.

Needs only Python 3.11 or newer and its standard library. tox goes into a virtual environment of its own, so that it
works where pip may not touch the system's Python (PEP 668), and a link to it goes onto PATH, so that plain `tox` works
from then on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

TOX = "tox==4.67.13"
HOME = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "meshproof" / "tox"


def installed() -> Path:
    """tox in its own environment, put there on the first call."""
    program = HOME / "bin" / "tox"
    stamp = HOME / "installed"
    if stamp.is_file() and stamp.read_text() == TOX and works(program):
        return program
    print(f"bootstrap: installing {TOX} into {HOME}", file=sys.stderr, flush=True)
    shutil.rmtree(HOME, ignore_errors=True)
    make_environment()
    subprocess.run([HOME / "bin" / "python", "-m", "pip", "install", "--quiet", TOX], check=True)
    stamp.write_text(TOX)
    return program


def works(program: Path) -> bool:
    """Whether the environment is whole; the Python that it was made with may have gone."""
    try:
        return subprocess.run([program, "--version"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def make_environment() -> None:
    """A virtual environment with pip; Debian and Ubuntu keep the parts for that in a package of their own."""
    command = [sys.executable, "-m", "venv", str(HOME)]
    if subprocess.run(command, check=False, capture_output=True).returncode == 0:
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        print(f"bootstrap: installing {package}, which `python -m venv` needs here", file=sys.stderr, flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-q"], check=True, env=environment, stdout=sys.stderr)
        install = ["apt-get", "install", "-yq", "--no-install-recommends", package]
        subprocess.run(install, check=True, env=environment, stdout=sys.stderr)
        shutil.rmtree(HOME, ignore_errors=True)
    subprocess.run(command, check=True)


def link(program: Path) -> None:
    """Make plain `tox` work later on, unless there is one already."""
    if shutil.which("tox"):
        return
    folder = Path("/usr/local/bin") if os.geteuid() == 0 else Path.home() / ".local" / "bin"
    target = folder / "tox"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.symlink_to(program)
    except OSError as error:
        print(f"bootstrap: no link to tox in {folder} ({error.strerror}); use {program}", file=sys.stderr)
        return
    if str(folder) not in os.environ.get("PATH", "").split(os.pathsep):
        print(f"bootstrap: add {folder} to PATH for plain `tox`", file=sys.stderr)


def main() -> int:
    """Install what is missing, then become tox."""
    if sys.version_info < (3, 11):
        print(f"bootstrap: Python 3.11 or newer is needed, this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    try:
        program = installed()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"bootstrap: tox could not be installed: {error}", file=sys.stderr)
        print("bootstrap: install tox yourself (pipx install tox) and run it", file=sys.stderr)
        return 2
    link(program)
    sys.stdout.flush()
    os.chdir(Path(__file__).resolve().parent)
    os.execv(program, [str(program), *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
