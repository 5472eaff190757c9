"""Keys in the environment, and those of the run's own intake, show up in nothing that a run shows or leaves."""

from __future__ import annotations

import base64
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from trials.world import World

_SECRETS = (("datadog-secret", "api-key"), ("datadog-secret", "app-key"), ("datadog-token", "token"))


def forms(key: str) -> set[bytes]:
    """A key as it is, and as Kubernetes writes it."""
    return {key.encode(), base64.b64encode(key.encode())}


def found(keys: set[bytes], folder: Path) -> Iterator[str]:
    """Files below a folder that hold one of the keys."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and any(key in path.read_bytes() for key in keys):
            yield str(path)


def shown(keys: set[bytes]) -> Iterator[str]:
    """Processes that name one of the keys on their command line."""
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ()).encode(errors="replace")
        if any(key in line for key in keys):
            yield f"{process.pid}: {line[:100].decode(errors='replace')}"


def test_keys_stay_secret(standing: World) -> None:
    """Also where checks fail and all is collected that there is to know, and where sending the results fails."""
    planted = {"DD_API_KEY": secrets.token_hex(16), "DD_APP_KEY": secrets.token_hex(20)}
    with standing.cluster() as cluster:
        held = {name: cluster.get("Secret", name, "datadog", "v1") or {} for name, _ in _SECRETS}
    minted = [base64.b64decode(held[name]["data"][entry]).decode() for name, entry in _SECRETS]
    keys = {form for key in (*planted.values(), *minted) for form in forms(key)}
    impatient = {"MESHPROOF_TIMEOUTS__SEARCHABLE": "0.01"}  # nothing is found in time
    sending = {"MESHPROOF_SEND_RESULTS": "true", "DD_SITE": "meshproof.invalid"}
    run = standing.suites(
        *("test_traces.py", "test_agent_pods.py", "test_routing.py"), environment=planted | impatient | sending
    )
    seen: set[str] = set()
    while run.process.poll() is None:
        seen.update(shown(keys))
        time.sleep(0.05)
    assert run.ends(within=1) == 1, run.told
    assert standing.verdicts()["CONFORM"] > 0
    assert "diagnostics: " in run.told
    assert "results: NOT sent" in run.told
    assert seen == set()
    assert list(found(keys, standing.folder / "reports")) == []
    assert not any(key in run.told.encode() for key in keys)


def test_what_is_looked_for_would_be_found(tmp_path: Path) -> None:
    """The search itself, on files and on a process that hold a key."""
    keys = forms(secrets.token_hex(16))
    (tmp_path / "below").mkdir()
    for number, key in enumerate(sorted(keys)):
        (tmp_path / "below" / str(number)).write_bytes(b"x" + key)
        program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", f"--key={key.decode()}"])
        try:
            assert len(list(shown(keys))) == 1
        finally:
            program.kill()
            program.wait()
    assert len(list(found(keys, tmp_path))) == 2
