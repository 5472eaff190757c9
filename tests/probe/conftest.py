from __future__ import annotations

import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import trustme

from meshproof.kube import ExecResult
from meshproof.probe import HostVantage, PodVantage, Vantage
from meshproof.timeouts import Timeouts


class ThisMachine:
    """Runs what a pod would run here; keeps the command lines."""

    def __init__(self) -> None:
        self.timeouts = Timeouts()
        self.commands: list[Sequence[str]] = []

    def execute(
        self,
        namespace: str,
        pod: str,
        argv: Sequence[str],
        *,
        container: str | None = None,
        stdin: bytes | None = None,
        timeout: float | None = None,
    ) -> ExecResult:
        self.commands.append(argv)
        done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout, check=False)
        return ExecResult(done.stdout, done.stderr, done.returncode)


@pytest.fixture
def this_machine() -> ThisMachine:
    return ThisMachine()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """For a server that is shop.example.com."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("shop.example.com").configure_cert(context)
    return context


@pytest.fixture(params=["host", "pod"])
def vantage(request: pytest.FixtureRequest, this_machine: ThisMachine, ca_file: Path) -> Vantage:
    """Both kinds of vantage, which have to see the same."""
    if request.param == "host":
        return HostVantage(ca=ca_file)
    return PodVantage(this_machine, "shop", "web", options=["--cacert", str(ca_file)])
