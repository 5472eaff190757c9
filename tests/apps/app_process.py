"""The sample apps as processes of this machine, each on a free port."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from meshproof.waiting import eventually

APPS = Path(__file__).parents[2] / "fixtures" / "apps"
CANARY = (sys.executable, "-m", "canary")


class AppProcess:
    """A running app: where it answers, what it has logged, how it ends."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        self.url = ""

    def lines(self) -> list[dict[str, Any]]:
        """All that was logged. Raises ValueError for a line that is not JSON."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def line(self, message: str) -> dict[str, Any]:
        """The line with that message, as soon as it is there."""
        return eventually(
            lambda: next((line for line in self.lines() if line["message"] == message), None) or {},
            timeout=10,
            every=0.02,
            what=f"the log has the line {message}",
        )

    def stop(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """How it ended, in less than ten seconds."""
        return self.process.wait(10)


@contextmanager
def running(argv: Sequence[str | Path], folder: Path, **environment: str) -> Iterator[AppProcess]:
    """Start `argv` and wait until it serves; it is killed at the end if it is still there."""
    log = folder / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen(argv, stdout=out, stderr=out, env=app_environment({"PORT": "0", **environment})) as process,
    ):
        app = AppProcess(process, log)
        try:
            port = app.line("serving")["address"].rpartition(":")[2]
            app.url = f"http://127.0.0.1:{port}"
            yield app
        finally:
            process.kill()


def app_environment(given: Mapping[str, str]) -> dict[str, str]:
    """What an app finds in its environment: the search path, where the canary's modules are, and `given`."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(APPS / "text-to-speech-canary"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **given,
    }


def small_sound() -> bytes:
    """A tenth of a second of a square wave, as a WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22050)
        file.writeframes((b"\x00\x10" * 25 + b"\x00\xf0" * 25) * 44)
    return buffer.getvalue()


def fake_speaker(folder: Path, extra: str = "") -> Path:
    """A program that is called as espeak-ng is: it notes its text in spoken.txt, runs `extra`, and writes a sound."""
    (folder / "sound.wav").write_bytes(small_sound())
    program = folder / "espeak-ng"
    # the arguments are -v en -w FILE --stdin
    program.write_text(f'#!/bin/sh\ncat > "{folder}/spoken.txt"\n{extra}\ncp "{folder}/sound.wav" "$4"\n')
    program.chmod(0o755)
    return program
