"""The command tells people what they need to know, and ends with the right code."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from meshproof import cli
from meshproof.bed.ownership import Records, RunState, new_run_id


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


NOBODY_THERE = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {}}]
contexts: [{name: here, context: {cluster: c, user: u}}]
"""


def meshproof(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    folders = {"XDG_STATE_HOME": str(home / "state"), "XDG_CACHE_HOME": str(home / "cache")}
    environment = {**os.environ, **folders, "DOCKER_HOST": "unix:///nowhere.sock", "COLUMNS": "200"}
    argv = [sys.executable, "-m", "meshproof.cli", *words]
    return subprocess.run(argv, env=environment, cwd=home, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["up", "--images", "everywhere"], "setting images"),
        (["up", "--workers", "many"], "setting workers"),
        (["up", "--cluster-name", "A B"], "setting cluster_name"),
        (["up", "--kubeconfig", "nowhere"], "there is no such kubeconfig"),
        (["up", "--colour", "red"], "--colour"),
        (["fly"], "fly"),
    ],
)
def test_bad_input_is_told_in_words_with_code_two(home: Path, words: list[str], message: str) -> None:
    ended = meshproof(home, *words)
    assert ended.returncode == 2, ended.stderr
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_unknown_context_lists_those_that_exist(home: Path) -> None:
    (home / "config").write_text(NOBODY_THERE)
    ended = meshproof(home, "up", "--kubeconfig", "config", "--context", "there")
    assert ended.returncode == 2, ended.stderr
    assert "there" in ended.stderr and "here" in ended.stderr


def test_nothing_is_up(home: Path) -> None:
    ended = meshproof(home, "status")
    assert (ended.returncode, ended.stdout) == (0, "nothing is up\n")


def test_status_tells_whose_a_cluster_is(home: Path) -> None:
    records = Records(home / "state" / "meshproof")
    record = records.claim(run_id=new_run_id(), cluster_name="mine", engine_host="unix:///gone.sock")
    records.write(record.model_copy(update={"state": RunState.KEPT}))
    (entry,) = json.loads(meshproof(home, "status", "--json").stdout)
    assert (entry["cluster"], entry["run"]) == ("mine", record.run_id)
    assert entry["state"] == "kept; its engine does not answer"


def _kept(home: Path, monkeypatch: pytest.MonkeyPatch, kubeconfig: str) -> None:
    """A record of a kept cluster, and its engine, which answers."""
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    state = home / "state" / "meshproof"
    record = Records(state).claim(run_id=new_run_id(), cluster_name="mine", engine_host="unix:///there.sock")
    Records(state).write(record.model_copy(update={"state": RunState.KEPT}))
    engine = SimpleNamespace(host="unix:///there.sock", answers=lambda: True, namespace=None)
    monkeypatch.setattr(cli.engines, "find_running", lambda _settings: engine)
    path = state / "clusters" / "mine" / "kubeconfig"
    path.parent.mkdir(parents=True)
    path.write_text(kubeconfig)


def _told(output: str) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in output.splitlines())


def test_status_tells_that_a_kept_cluster_does_not_answer(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _kept(home, monkeypatch, NOBODY_THERE)
    cli.status()
    told = _told(capsys.readouterr().out)
    assert told["state"] == "kept; it does not answer"
    assert "context here" in told["problem"]


@pytest.mark.timeout(20)
def test_status_does_not_hang_with_an_api_server_that_hangs(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_STATUS_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, and nobody answers
        port = silent.getsockname()[1]
        _kept(home, monkeypatch, NOBODY_THERE.replace("127.0.0.1:1", f"127.0.0.1:{port}"))
        cli.status()
    told = _told(capsys.readouterr().out)
    assert told["state"] == "kept; it does not answer"
    assert "no answer" in told["problem"]


def test_doctor_looks_at_everything(home: Path) -> None:
    ended = meshproof(home, "doctor", "--images", "source")
    assert ended.returncode in (0, 1), ended.stderr
    for category in ("engine", "capacity", "network", "leftovers", "tools", "registries"):
        assert f"{category}\n" in ended.stdout
    assert "looked at" in ended.stdout


@pytest.mark.parametrize(
    ("ends", "code"), [(typer.Exit(1), 1), (typer.Exit(0), 0), (KeyboardInterrupt(), 130), (None, 0)]
)
def test_the_process_ends_with_the_code_of_its_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ends: BaseException | None, code: int
) -> None:
    app = typer.Typer()

    @app.command()
    def command() -> None:
        if ends is not None:
            raise ends

    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr(cli, "terminate_like_interrupt", lambda: None)
    monkeypatch.setattr(sys, "argv", ["meshproof"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code or 0) == code
    assert ("interrupted" in capsys.readouterr().err) == (code == 130)
