#!/usr/bin/env python3
"""An OCI runtime that is runc, less CAP_SYS_RESOURCE.

Where that capability is missing from the machine's bounding set, runc cannot grant it to privileged containers and
refuses to start them. This wrapper takes it out of every container and exec specification and then becomes runc.
It is copied to disk and run by containerd as a program of its own, so it uses the standard library alone.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

CAPABILITY = "CAP_SYS_RESOURCE"
RUNC = "runc"


def without_capability(process: dict[str, object]) -> None:
    """Drop the capability from every set of an OCI `process` object, in place."""
    sets = process.get("capabilities")
    if isinstance(sets, dict):
        for name, members in sets.items():
            if isinstance(members, list):
                sets[name] = [member for member in members if member != CAPABILITY]


def rewrite(specification: Path, *, is_process: bool) -> None:
    """Rewrite a bundle's config.json, or the process file of an exec."""
    content = json.loads(specification.read_text())
    without_capability(content if is_process else content.get("process", {}))
    specification.write_text(json.dumps(content))


def option(arguments: list[str], *names: str) -> str | None:
    """The value of an option that is written `--name value` or `--name=value`."""
    for index, word in enumerate(arguments):
        if word in names and index + 1 < len(arguments):
            return arguments[index + 1]
        for name in names:
            if word.startswith(f"{name}="):
                return word.partition("=")[2]
    return None


def main(arguments: list[str]) -> None:
    """Rewrite what runc is about to read, then become runc."""
    if "create" in arguments or "run" in arguments:
        rewrite(Path(option(arguments, "--bundle", "-b") or ".") / "config.json", is_process=False)
    elif "exec" in arguments and (process := option(arguments, "--process", "-p")):
        rewrite(Path(process), is_process=True)
    os.execvp(RUNC, [RUNC, *arguments])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
