"""A run of meshproof as its user has it: a process that tells what it does, and that can be ended at any moment."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from meshproof.bed.leftovers import kill

__all__ = ["Run"]

_LOOK = 0.2


@dataclass(frozen=True)
class Run:
    """A run that was started, and where its output goes."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def told(self) -> str:
        """What it has told so far."""
        return self.log.read_text(errors="replace")

    def tells(self, pattern: str, *, within: float) -> None:
        """Wait until its output matches a regular expression."""
        self.reaches(lambda: re.search(pattern, self.told, re.MULTILINE) is not None, f"{pattern!r}", within=within)

    def reaches(self, state: Callable[[], bool], what: str, *, within: float) -> None:
        """Wait for a state of it, at most so many seconds; it must not end before."""
        end = time.monotonic() + within
        while not state():
            assert self.process.poll() is None, f"it ended before {what}, with {self.process.returncode}:\n{self.told}"
            assert time.monotonic() < end, f"{what} was not reached within {within:g} s:\n{self.told}"
            time.sleep(_LOOK)

    def ends(self, *, within: float) -> int:
        """Its exit code, when it has ended by itself."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.killed(children=True)
            raise AssertionError(f"it did not end within {within:g} s:\n{self.told}") from None

    def passes(self, *, within: float) -> None:
        """Wait until it has ended well."""
        code = self.ends(within=within)
        assert code == 0, f"it ended with {code}:\n{self.told}"

    @property
    def children(self) -> list[psutil.Process]:
        """The processes that it has started and that run still, and those of these."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def runs(self, program: str) -> bool:
        """Whether one of its children has this on its command line."""
        for child in self.children:
            with suppress(psutil.NoSuchProcess):
                if any(program in word for word in child.cmdline()):
                    return True
        return False

    def killed(self, *, children: bool) -> list[psutil.Process]:
        """End it at once, with or without its children, which are given back."""
        family = self.children
        self.process.kill()
        if children:
            kill(family)
        self.process.wait()
        return family
