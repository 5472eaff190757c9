"""Keys and tokens in the environment, in a kubeconfig and in the cluster never show: not in reports, junit.xml or logs,
not on the console, and not in the process list."""

from __future__ import annotations

import base64
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy  # noqa: F401 - cannot be loaded anew by each of the runs in this process
import psutil
import pytest
from small_cluster import SmallCluster, plural, workload

from meshproof.bed.preflight import preflight
from meshproof.errors import MeshproofError, UsageError
from meshproof.intake.backend import Backend
from meshproof.intake.client import IntakeControl
from meshproof.keys import Keys
from meshproof.kube import Cluster
from meshproof.programs import ProgramFailed, run
from meshproof.report import diagnostics, rebuilt
from meshproof.report.evidence import Evidence
from meshproof.report.planted import searched
from meshproof.report.results import CheckResult, Results
from meshproof.secrecy import HIDDEN, hidden
from meshproof.settings import load_settings
from meshproof.timeline import Timeline
from meshproof.timeline.export import write_json
from meshproof.verdict import Verdict

PLANTED = {
    "DD_API_KEY": "5ca1ab1e" * 4,
    "DD_APP_KEY": "decade00" * 5,
    "GITHUB_TOKEN": "ghp_pl4ntedPl4ntedPl4nted",
    "AWS_SECRET_ACCESS_KEY": 'wJalr"XUt\\nFEMI/K7MDENG+bPx',
}
PASSWORD = "pl4nted-p4ss%2Fword"
URLS = {
    "HTTPS_PROXY": f"http://planter:{PASSWORD}@127.0.0.1:9",
    "PIP_INDEX_URL": f"https://planter:{PASSWORD}@127.0.0.1:9/simple",
}
SECRETS = {**PLANTED, "password": PASSWORD, "password, decoded": PASSWORD.replace("%2F", "/")}


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    for name, value in {**PLANTED, **URLS}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))


@pytest.fixture(autouse=True)
def searched_afterwards(planted: None, folder: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever the test did: nothing of it shows in any file below its folder, or on the console."""
    yield
    told = "".join(capfd.readouterr())
    assert [name for name, value in SECRETS.items() if value in told] == []
    assert searched(SECRETS, [folder]) == []


def everything() -> str:
    """What a program that goes wrong may tell."""
    return "\n".join(f"{name}={value}" for name, value in os.environ.items() if name in {**PLANTED, **URLS})


def test_the_search_finds_what_is_planted(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Else the rest of this file would prove nothing."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "deep").mkdir()
    for number, text in enumerate([everything(), base64.b64encode(PLANTED["DD_API_KEY"].encode()).decode()]):
        (elsewhere / "deep" / f"{number}.log").write_text(text)
    found = searched(SECRETS, [elsewhere])
    assert {line.partition(":")[0] for line in found} == {*SECRETS}
    assert [line for line in found if "base64" in line and "1.log" in line]
    assert [line for line in found for value in SECRETS.values() if value in line] == []


def test_hiding_leaves_the_rest() -> None:
    told = hidden(everything())
    assert told.count(HIDDEN) >= len({**PLANTED, **URLS})
    assert "DD_API_KEY=" in told and "@127.0.0.1:9/simple" in told
    assert hidden("a bare word, https://host:8080/path") == "a bare word, https://host:8080/path"


def test_a_program_that_fails_and_tells_its_environment() -> None:
    timeline = Timeline()
    words = [sys.executable, "-c", "import os, sys; print(os.environ, file=sys.stderr); sys.exit(3)"]
    with timeline.step("fetch", group="images") as step:
        step.note(everything())
    with pytest.raises(ProgramFailed) as failed, timeline.step("build", group="images") as step:
        run(words, timeout=60, on_line=step.note)
    print(failed.value, failed.value.problem, *failed.value.args)
    assert "HTTPS_PROXY" in str(failed.value) and HIDDEN in str(failed.value)
    write_json(timeline, Path("reports/timeline.json"))
    assert HIDDEN in Path("reports/timeline.json").read_text()


def test_process_list_while_a_program_runs(folder: Path) -> None:
    """The command lines of all that this process has started, asked for until the program has ended."""
    seen: set[str] = set()

    def look() -> None:
        while not (folder / "done").exists():
            for process in psutil.Process().children(recursive=True):
                try:
                    seen.add("\0".join(process.cmdline()))
                except psutil.Error:
                    continue
            time.sleep(0.01)

    thread = Thread(target=look)
    thread.start()
    try:
        with pytest.raises(UsageError):
            Keys.of_environment({})
        Keys.of_environment(os.environ)
        run([sys.executable, "-c", "import time; time.sleep(0.3)", "a program of ours"], timeout=60)
        list(preflight(load_settings(images="source")))
    finally:
        (folder / "done").touch()
        thread.join()
    assert any("a program of ours" in line for line in seen)
    assert [name for name, value in SECRETS.items() if any(value in line for line in seen)] == []


def test_wrong_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**PLANTED, **URLS}.items():
        for setting in ("CLUSTER_NAME", "WORKERS", "KIND_IMAGE", "POOL", "TIMEOUTS__ROLLOUT", name):
            with monkeypatch.context() as patch:
                patch.setenv(f"MESHPROOF_{setting}", value)
                try:
                    load_settings()  # a key can be a cluster's name
                except UsageError as error:
                    print(error)


def test_keys_in_words(caplog: pytest.LogCaptureFixture) -> None:
    keys = Keys.of_environment(os.environ)
    minted = Keys.minted()
    logging.getLogger("meshproof").warning("%s %r", keys, keys)
    print(keys, minted, MeshproofError(f"refused: {minted.api}", seen=minted.application))
    assert minted.api not in str(MeshproofError(minted.api)) and len(minted.api) == 32
    assert [name for name, value in SECRETS.items() if value in caplog.text] == []


def test_a_backend_that_cannot_be_reached(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    backend, control = (
        make("http://127.0.0.1:9", PLANTED["DD_API_KEY"]) for make in (Backend.of_intake, IntakeControl)
    )
    for ask in (backend.validate, control.status):
        with pytest.raises(MeshproofError) as told:
            ask()
        print(told.value)
    backend.close()
    control.close()
    assert [name for name, value in SECRETS.items() if value in caplog.text] == []


def test_report_of_a_run() -> None:
    reports = Path("reports")
    reports.mkdir()
    evidence = Evidence()
    evidence.add("answer", {"body": everything(), "parts": [everything()]})
    evidence.text("log", everything())
    evidence.file("log.txt", everything())
    command = ["tox", "-e", "e2e", "--", f"--kind-image={PLANTED['GITHUB_TOKEN']}", *URLS.values()]
    check = CheckResult("suites/test_a.py::test_a", "It holds.", Verdict.VIOLATE, everything(), 1.0, (*evidence.items,))
    Results({"session": "20261120-080112", "command": command}, [check]).write(reports / "20261120-080112/results.json")
    evidence.write_files(reports / "20261120-080112")
    page = rebuilt.page_of(reports)
    assert HIDDEN in page.read_text() and "DD_API_KEY=" in page.read_text()
    print(*rebuilt.compared(reports, "20261120-080112", "20261120-080112"))


class Discovered(SmallCluster):
    """One that tells which group has a kind."""

    def answer(self, method: str, path: str, query: Any, body: Any) -> tuple[int, Any]:
        if path != "/apis":
            return super().answer(method, path, query, body)
        kinds = [
            {"resource": plural(kind), "responseKind": {"kind": kind}, "scope": "Namespaced"}
            for kind in ("Deployment", "DaemonSet")
        ]
        versions = [{"version": "v1", "resources": kinds}]
        return 200, {"items": [{"metadata": {"name": "apps"}, "versions": versions}]}


def test_diagnostics_of_a_cluster(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keys that stand where they should not: in an environment, an argument, a copy of the manifest, a log."""
    inside = "pl4nted-in-the-cluster"
    web = workload()
    copied = {"kubectl.kubernetes.io/last-applied-configuration": f'{{"env": "{inside}"}}', "note": "stays"}
    web["metadata"] |= {"namespace": "apps", "annotations": copied}
    environment = [
        {"name": "DB_PASSWORD", "value": inside},
        {"name": "MODE", "value": "fast"},
        {"name": "DD_API_KEY", "valueFrom": {"secretKeyRef": {"name": "datadog-secret", "key": "api-key"}}},
    ]
    words = ["serve", f"--api-key={inside}", "--token", inside, "--port=80"]
    container = {"name": "web", "image": "web:1", "env": environment, "args": words, "apiToken": inside}
    web["spec"]["template"] = {
        "spec": {"containers": [container], "volumes": [{"secret": {"secretName": "of-the-web"}}]}
    }
    metadata = {"name": "datadog-secret", "namespace": "apps"}
    data = {"api-key": base64.b64encode(inside.encode()).decode()}
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "apps"}}
    event |= {"involvedObject": {"kind": "Pod", "name": "web"}, "message": everything(), "reason": "Killed"}
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with Discovered() as small:
        small.has(web, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}, event)
        with Cluster(small.write_kubeconfig(elsewhere / "config")) as cluster:
            diagnostics.collect(cluster, ["apps"], folder / "reports", {"network": {"note": everything()}})
    objects = (folder / "reports/apps/objects.yaml").read_text()
    for kept in ("MODE", "fast", "--port=80", "note: stays", "of-the-web", "key: api-key", f"value: {HIDDEN}"):
        assert kept in objects
    assert searched({"in the cluster": inside}, [folder / "reports"]) == []
    assert HIDDEN in (folder / "reports/apps/events.txt").read_text()


def test_kubeconfig_whose_token_is_told_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    token = "pl4nted-kubeconfig-token"
    path = tmp_path_factory.mktemp("elsewhere") / "config"
    with SmallCluster() as small:
        small.write_kubeconfig(path)
        path.write_text(path.read_text().replace("token: t", f"token: {token}"))
        with Cluster(path) as cluster:
            error = MeshproofError("refused", seen=f"Authorization: Bearer {token}; {token}")
            print(error, cluster)
            assert token not in str(error) and HIDDEN in str(error)


def test_a_check_that_fails_and_tells_everything(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(
        """
        import logging, os, pytest
        def told(): return [f"{name}={os.environ[name]}" for name in os.environ["NAMES"].split()]
        def test_fails():
            print(*told())
            logging.getLogger("x").warning("%s", told())
            assert told() == [], "\\n".join(told())
        def test_raises():
            local = told()
            raise RuntimeError(local)
        def test_is_left_out(): pytest.skip(" ".join(told()))
        @pytest.fixture
        def broken(): raise ValueError(os.environ["DD_API_KEY"])
        def test_is_not_made(broken): pass
        """
    )
    monkeypatch.setenv("NAMES", " ".join({**PLANTED, **URLS}))
    outcome = pytester.runpytest_subprocess("-rA", "-vv", "--showlocals", "--junitxml=reports/junit.xml", timeout=120)
    outcome.assert_outcomes(failed=2, skipped=1, errors=1)
    told = outcome.stdout.str() + outcome.stderr.str() + (pytester.path / "reports/junit.xml").read_text()
    assert [name for name, value in SECRETS.items() if value in told] == []
    assert HIDDEN in told and "HTTPS_PROXY=" in told


@pytest.mark.parametrize("words", [["doctor", "--images", "source"], ["status"], ["up", "--kubeconfig", "gone"]])
def test_command(words: list[str], folder: Path) -> None:
    environment = {**os.environ, "DOCKER_HOST": "unix:///nowhere.sock"}
    argv = [sys.executable, "-m", "meshproof.cli", *words]
    ended = subprocess.run(argv, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode in (0, 1, 2) and "Traceback" not in ended.stderr
    print(ended.stdout, ended.stderr)


def test_docker_host_with_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://planter:{PASSWORD}@127.0.0.1:9")
    findings = list(preflight(load_settings(images="source")))
    print(*(hidden(finding.seen) for finding in findings))
    assert re.search("docker", str(findings))
