"""A night's stages and its exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from meshproof.nightly import command
from meshproof.nightly.stages import Stage, environment, exit_code, plan, told
from meshproof.settings import Settings

SUITES, MUTANTS = Stage("suites", ()), Stage("mutants", ())
REPORT, DOWN = Stage("report", (), decides=False), Stage("down", (), decides=False)


def names(*, stays: bool, **options: object) -> list[str]:
    return [stage.name for stage in plan(Settings(**options), [], Path("suites"), stays=stays)]


def test_a_cluster_of_the_night_is_kept_for_the_mutants_and_deleted_at_the_end() -> None:
    assert names(stays=False) == ["suites", "mutants", "report", "down"]
    suites, *_ = plan(Settings(), ["-k", "mtls"], Path("suites"), stays=False)
    assert "--keep-cluster" in suites.argv
    assert suites.argv[suites.argv.index("--strictness") + 1] == "nightly"
    assert suites.argv[-2:] == ("-k", "mtls")


def test_a_cluster_that_was_there_before_is_not_deleted() -> None:
    assert names(stays=True) == ["suites", "mutants", "report"]


def test_a_borrowed_cluster_is_neither_kept_nor_deleted() -> None:
    assert names(stays=False, context="theirs") == ["suites", "mutants", "report"]
    suites, *_ = plan(Settings(context="theirs"), [], Path("suites"), stays=False)
    assert "--keep-cluster" not in suites.argv


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        ([(SUITES, 0), (MUTANTS, 0), (REPORT, 0), (DOWN, 0)], 0),
        ([(SUITES, 1), (MUTANTS, 0), (REPORT, 0), (DOWN, 0)], 1),
        ([(SUITES, 0), (MUTANTS, 1), (REPORT, 0), (DOWN, 0)], 1),
        ([(SUITES, 0), (MUTANTS, 2), (REPORT, 0), (DOWN, 0)], 1),
        ([(SUITES, 0), (MUTANTS, 0), (REPORT, 2), (DOWN, 1)], 0),
        ([(SUITES, -15), (MUTANTS, 0)], 1),
        ([(SUITES, 2), (DOWN, 0)], 2),
    ],
)
def test_the_exit_code_is_as_documented(ended: list[tuple[Stage, int]], code: int) -> None:
    assert exit_code(ended) == code


def test_options_reach_every_stage_by_the_environment() -> None:
    given = environment({"PATH": "/bin"}, cluster_name="night", images=None)
    assert given == {"PATH": "/bin", "MESHPROOF_CLUSTER_NAME": "night"}


def test_the_time_budget_is_told() -> None:
    ended = [(SUITES, 0), (MUTANTS, 1)]
    seconds = {"suites": 700.0, "mutants": 50.0}
    assert told(ended, seconds, 5400)[-1] == "time: 12 min 30 s of 90 min 00 s"
    assert told(ended, seconds, 700)[-1].endswith("OVER the budget")
    assert "exit code 1" in told(ended, seconds, 700)[1]


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a night whose stages write their names down and end with the given codes."""
    monkeypatch.setattr(command, "suites_folder", lambda _: tmp_path)
    log = tmp_path / "log"

    def stage(name: str, code: int, *, decides: bool = True) -> Stage:
        text = f"import sys; open({str(log)!r}, 'a').write({name!r} + ' '); sys.exit({code})"
        return Stage(name, (sys.executable, "-S", "-c", text), decides)

    def run(suites: int, mutants: int) -> tuple[int, list[str]]:
        stages = (stage("suites", suites), stage("mutants", mutants), stage("down", 0, decides=False))
        monkeypatch.setattr(command, "plan", lambda *_, **__: stages)
        settings = Settings(state=tmp_path / "state")
        code = command.run_night(settings, {}, [], Console(quiet=True))
        return code, log.read_text().split()

    return run


def test_mutants_are_tried_although_a_suite_failed(night) -> None:
    assert night(1, 0) == (1, ["suites", "mutants", "down"])


def test_after_bad_input_nothing_more_is_begun(night) -> None:
    assert night(2, 0) == (2, ["suites", "down"])


def test_an_interrupted_night_takes_its_cluster_away(night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(subprocess.Popen):  # type: ignore[type-arg]
        def wait(self, timeout: float | None = None) -> int:
            code = super().wait(timeout)
            if timeout is None and "'suites'" in self.args[-1]:  # type: ignore[index]
                raise KeyboardInterrupt
            return code

    monkeypatch.setattr(command.subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        night(0, 0)
    assert (tmp_path / "log").read_text().split() == ["suites", "down"]
