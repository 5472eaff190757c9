"""Files that a run left and that are no longer whole: told with exit code 2, or done without; nothing is lost."""

from __future__ import annotations

import copy
import json
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from junk import value

from meshproof import cli
from meshproof.bed.ownership import Records, RunState, new_run_id
from meshproof.errors import UsageError
from meshproof.report import rebuilt
from meshproof.report.results import CheckResult, Results
from meshproof.verdict import Verdict

NAMES = ("20261120-080112", "20261121-080112")
SPAN = {"name": "istio", "group": "stack", "state": "done", "began": 0.0, "ended": 2.0, "after": [], "note": ""}


@pytest.fixture
def reports(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    for name in NAMES:
        write(folder / "reports" / name)
    return folder / "reports"


def write(run: Path) -> None:
    evidence = ({"name": "share", "kind": "figure", "seen": {"value": 1.0, "unit": "%", "low": None, "high": None}},)
    check = CheckResult("suites/test_mtls.py::test_a", "It holds.", Verdict.CONFORM, "", 0.4, evidence)
    Results(facts={"session": run.name, "versions": {"istio": "1"}}, checks=[check]).write(run / "results.json")
    (run / "timeline.json").write_text(json.dumps({"started_at": "2026-11-20", "seconds": 2.0, "spans": [SPAN]}))


def ended(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """How the command ends, and what it says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["meshproof", *words])
        patch.setattr(cli, "terminate_like_interrupt", lambda: None)
        try:
            cli.main()
            code = 0
        except SystemExit as left:
            code = int(left.code or 0)
    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err
    return code, told.out + told.err


def paths(content: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of every value in a document."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [at, *(path for key, item in items for path in paths(item, (*at, key)))]


@given(data=st.data(), name=st.sampled_from(["results.json", "timeline.json"]), junk=value())
@example(data=None, name="timeline.json", junk=[{"ended": "x"}])
def test_any_value_in_a_runs_files(data: Any, name: str, junk: Any) -> None:
    """One value is another one: page and comparison are made, or the file is named."""
    for run in NAMES:
        write(Path("reports") / run)
    file = Path("reports") / NAMES[1] / name
    document = {"root": json.loads(file.read_text())}
    path = ("root", "spans") if data is None else data.draw(st.sampled_from(paths(document)[1:]))
    place = copy.copy(document)
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = junk
    text = json.dumps(document["root"], default=str)
    file.write_bytes(text.encode(errors="surrogatepass"))
    for act in (lambda: rebuilt.page_of(Path("reports")), lambda: rebuilt.compared(Path("reports"), *NAMES)):
        try:
            act()
        except UsageError as error:
            assert name in error.problem and NAMES[1] in error.problem and error.seen and error.remedy
        else:
            assert "could not be made" not in (file.parent / "index.html").read_text()
    assert file.read_bytes() == text.encode(errors="surrogatepass")


@pytest.mark.parametrize("content", [b"", b'{"checks": [', b"\xff\xfe", b"[]", b'{"checks": 5}', b"[" * 9000, b"null"])
def test_results_that_are_not_whole(reports: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    file = reports / NAMES[1] / "results.json"
    file.write_bytes(content)
    for words in (["report", NAMES[1]], ["report", "--compare", *NAMES]):
        code, text = ended(capsys, *words)
        assert code == 2 and f"{file} cannot be read" in text and "seen: " in text and "what to do: " in text
    assert file.read_bytes() == content


@pytest.mark.parametrize("name", ["x" * 300, "", "../..", "gone", "\x1b[2J"])
def test_run_that_is_not_there(reports: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, text = ended(capsys, "report", name)
    assert code == 2 and "there is no run" in text and NAMES[0] in text and "\x1b[2J" not in text


def test_reports_that_are_a_file(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("mine")
    for words in (["report"], ["report", "--compare", *NAMES], ["report", NAMES[0]]):
        code, text = ended(capsys, *words, "--reports", "file")
        assert code == 2 and "correct --reports" in text and "seen: 'file'" in text
    assert Path("file").read_text() == "mine"


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="no folder that nobody can write to")
def test_folders_that_cannot_be_written_to(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHPROOF_STATE", "/sys/kernel/meshproof")
    code, text = ended(capsys, "down")
    assert code == 2 and "/sys/kernel/meshproof" in text and "MESHPROOF_STATE" in text and "seen: " in text


def test_damaged_history_is_put_aside_and_made_again(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(capsys, "report")[0] == 0
    history = reports / "history.sqlite3"
    damaged = b"SQLite format 3\0" + b"\xa5" * 5000
    history.write_bytes(damaged)
    assert ended(capsys, "report")[0] == 0
    with sqlite3.connect(history) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM runs ORDER BY name")]
    connection.close()
    assert names == [*NAMES]
    assert (reports / "history.damaged-1").read_bytes() == damaged


def test_locked_history_is_left_alone(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(capsys, "report")[0] == 0
    holder = sqlite3.connect(reports / "history.sqlite3")
    holder.execute("BEGIN EXCLUSIVE")
    code, text = ended(capsys, "report")
    holder.close()
    page = (reports / NAMES[1] / "index.html").read_text()
    assert code == 0 and "index.html" in text
    assert "the history cannot be shown" in page and "locked" in page
    assert list(reports.glob("history.damaged*")) == []


@pytest.fixture
def kept(reports: Path) -> Path:
    """The record of a kept cluster."""
    records = Records(Path(os.environ["XDG_STATE_HOME"]) / "meshproof")
    record = records.claim(run_id=new_run_id(), cluster_name="mine", engine_host="unix:///gone.sock")
    records.write(record.model_copy(update={"state": RunState.KEPT}))
    return records.folder / f"{record.run_id}.json"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:40],
        lambda text: "\0" * 100,
        lambda text: text.replace('"run_id": "', '"run_id": "../../../'),
        lambda text: text.replace('"mine"', '"../../mine"'),
        lambda text: text.replace('"pid": ', '"pid": -'),
        lambda text: text.replace('"pool": null', '"pool": "all"'),
        lambda text: text.replace('"run_id": "2', '"run_id": "3'),
    ],
)
def test_record_that_is_not_whole(kept: Path, capsys: pytest.CaptureFixture[str], change: Any) -> None:
    """It is named, never followed, and left as it is."""
    text = change(kept.read_text())
    assert text != kept.read_text()
    kept.write_text(text)
    records = Records(kept.parent.parent)
    assert list(records) == [] and list(records.unreadable()) == [kept]
    code, told = ended(capsys, "status")
    assert code == 0 and f"{kept} cannot be read" in told.replace("\n", "")
    assert kept.read_text() == text


@given(
    content=st.binary(max_size=80) | value().map(lambda junk: json.dumps(junk, default=str).encode(errors="replace"))
)
def test_any_record(content: bytes) -> None:
    path = Path("runs/20261121-101500-3fa2.json")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    assert list(Records(Path())) == [] and list(Records(Path()).unreadable()) == [path]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "5",
        "apiVersion: 2026-13-45",
        "contexts: 5",
        "contexts: [5]",
        "users: [{a: token-in-the-file",
        "current-context: [a]",
    ],
)
def test_kubeconfig_that_is_none(folder: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    (folder / "config").write_text(content)
    for command in ("up", "prove"):
        code, text = ended(capsys, command, "--kubeconfig", "config")
        assert code == 2 and "config" in text and "seen: " in text and "what to do: " in text
        assert "token-in-the-file" not in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["doctor", "--images", ""], "correct --images"),
        (["up", "--workers", "1e9"], "correct --workers"),
        (["up", "--pool", "10.0.0.9-10.0.0.1"], "correct --pool"),
        (["prove", "--mutant", "gone"], "there is no mutant gone"),
        (["status", "extra"], "extra"),
        (["report", "--compare", "one"], "--compare"),
    ],
)
def test_wrong_words(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str) -> None:
    code, text = ended(capsys, *words)
    assert code == 2 and says in text
    assert list(folder.iterdir()) == []
