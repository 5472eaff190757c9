"""Results as Datadog gets them: sent with the official client to a running intake, and read back from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sample_run import FACTS, check, write_run

from meshproof.errors import MeshproofError, UsageError
from meshproof.intake.backend import Backend
from meshproof.intake.client import IntakeControl
from meshproof.intake.server import IntakeSettings, running
from meshproof.report.measures import measures, told
from meshproof.report.results import LeftOut, Results
from meshproof.report.runs import Run, read_run
from meshproof.sending import expect_recent, send, send_to_account
from meshproof.verdict import Verdict

KEY = "c0ffee00" * 4


@dataclass
class Intake:
    """A running intake, and who asks it."""

    url: str
    backend: Backend
    control: IntakeControl

    def value(self, query: str) -> float:
        """The last point of the only series that matches."""
        (series,) = self.backend.metrics(query, datetime.now(UTC) - timedelta(minutes=5))
        return series.points[-1][1]


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    with running(IntakeSettings(folder=tmp_path / "intake", port=0, key=KEY)) as url:
        found = Intake(url, Backend.of_intake(url, KEY), IntakeControl(url, KEY))
        yield found
        found.backend.close()
        found.control.close()


@pytest.fixture
def sent(intake: Intake, sample: Path) -> Intake:
    send(read_run(sample), intake.backend, to="a test", env="nightly")
    return intake


def run_of(*verdicts: Verdict | LeftOut) -> Run:
    checks = [check(f"test_mtls.py::test_{n}", f"promise {n}", it, reason=f"why {n}") for n, it in enumerate(verdicts)]
    return Run(Path("now"), Results(facts=dict(FACTS), checks=checks))


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("sum:meshproof.checks{verdict:conform}", 7),
        ("sum:meshproof.checks{verdict:violate}", 1),
        ("sum:meshproof.checks{verdict:invalid}", 1),
        ("sum:meshproof.checks{verdict:inconclusive}", 1),
        ("sum:meshproof.checks{verdict:not_proven}", 1),
        ("avg:meshproof.checks.conforming{*}", 100 * 7 / 11),
        ("avg:meshproof.setup.seconds{*}", 41.0),
        ("avg:meshproof.run.seconds{*}", 41.0 + 12.4 + 31 + 21 + 22 + 7 * 0.4),
    ],
)
def test_what_a_run_measured_is_a_metric(sent: Intake, query: str, value: float) -> None:
    assert sent.value(query) == pytest.approx(value)


def test_every_measure_arrives_with_all_tags_of_the_run(sent: Intake, sample: Path) -> None:
    wanted = {"env:nightly", "run:20261120-080112", "cluster:cluster-istio", "istio_version:1.31.0"}
    names = {measure.name for measure in measures(read_run(sample))}
    assert {"meshproof.latency.ratio", "meshproof.completeness", "meshproof.figure"} <= names
    for name in names:
        query = f"avg:{name}{{{','.join(sorted(wanted))},metallb_version:0.15.2}}"
        assert sent.backend.metrics(query, datetime.now(UTC) - timedelta(minutes=5)), name


def test_ratios_are_each_arm_over_the_first() -> None:
    kept = {"kind": "quantiles", "name": "latency", "seen": {"arms": {"v1": [point(0.5, 10)], "v2": [point(0.5, 12)]}}}
    found = Run(Path("now"), Results(checks=[check("test_canary.py::test_it[gateway]", "p", Verdict.CONFORM)]))
    object.__setattr__(found.results.checks[0], "evidence", (kept,))
    (ratio,) = [measure for measure in measures(found) if measure.name == "meshproof.latency.ratio"]
    assert ratio.value == pytest.approx(1.2)
    assert {"quantile:p50", "arm:v2", "baseline:v1", "property:canary", "variant:gateway"} <= set(ratio.tags)


def point(quantile: float, value: float) -> dict[str, Any]:
    return {"quantile": quantile, "value": value, "low": None, "high": None}


def test_one_event_tells_verdict_counts_and_reasons(sent: Intake) -> None:
    (event,) = sent.control.documents("kind:event run:20261120-080112")
    content = event["content"]
    assert content["title"] == "meshproof: violated on cluster-istio"
    assert content["alert_type"] == "error"
    assert content["text"].startswith("failure: 7 CONFORM, 1 VIOLATE")
    assert "plaintext was answered" in content["text"]
    assert "env:nightly" in event["tags"]


def test_one_service_check_tells_how_it_ended(sent: Intake) -> None:
    (found,) = sent.control.documents("kind:check_run name:meshproof.conformance")
    assert (found["content"]["status"], found["host"]) == (2, "cluster-istio")
    assert "kubernetes_version:v1.36.3" in found["tags"]


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([Verdict.CONFORM], 0),
        ([Verdict.CONFORM, LeftOut.NOT_PROVEN], 1),
        ([Verdict.CONFORM, Verdict.INCONCLUSIVE], 1),
        ([Verdict.INVALID, Verdict.INCONCLUSIVE], 3),
        ([Verdict.INVALID, Verdict.VIOLATE], 2),
        ([], 3),
    ],
)
def test_the_worst_verdict_decides_the_status(verdicts: list[Verdict | LeftOut], status: int) -> None:
    assert told(run_of(*verdicts)).status == status


def test_violations_are_told_before_all_else_and_the_rest_is_counted() -> None:
    lines = told(run_of(*[Verdict.INVALID] * 6, Verdict.VIOLATE)).text.splitlines()
    assert lines[1].startswith("VIOLATE: promise 6")
    assert lines[-1] == "and 2 more"


def test_an_old_run_is_not_sent(sample: Path) -> None:
    expect_recent(sample, lambda: datetime(2026, 11, 20, 9, 0, tzinfo=UTC).timestamp())
    with pytest.raises(UsageError, match="too long ago"):
        expect_recent(sample, lambda: datetime(2026, 11, 20, 9, 30, tzinfo=UTC).timestamp())


def test_without_a_key_nothing_is_sent(sample: Path) -> None:
    with pytest.raises(UsageError, match="DD_API_KEY"):
        send_to_account(sample, {"DD_SITE": "datadoghq.eu"})


def test_a_refused_key_is_an_error_without_the_key(intake: Intake, sample: Path) -> None:
    wrong = "badc0de0" * 4
    with pytest.raises(UsageError, match="does not accept") as refused:
        send_to_account(sample, {"DD_API_KEY": wrong, "DD_DD_URL": intake.url})
    assert wrong not in f"{refused.value!r} {refused.value} {refused.value.__cause__}"


class Gossip(BaseHTTPRequestHandler):
    """A proxy on the way, which tells a request's headers back."""

    def do_POST(self) -> None:
        body = json.dumps({"errors": [f"malformed: {dict(self.headers)}"]}).encode()
        self.send_response(400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_key_that_is_told_back_is_not_told_on(sample: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), Gossip)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(MeshproofError, match="refused the metrics") as refused:
            send_to_account(sample, {"DD_API_KEY": KEY, "DD_DD_URL": url})
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert "malformed" in str(refused.value)
    assert KEY not in str(refused.value)


def command(sample: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "meshproof.cli", "report", "--reports", str(sample.parent), *words]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DD_")}
    folders = {"XDG_STATE_HOME": str(sample.parent / "state"), "DOCKER_HOST": "unix:///nowhere.sock"}
    return subprocess.run(
        argv, env={**kept, **folders, **environment}, capture_output=True, text=True, check=False, cwd=sample.parent
    )


def test_the_command_sends_and_shows_no_key(intake: Intake, tmp_path: Path) -> None:
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    sample = write_run(tmp_path / "reports" / name)
    written = sample / "timeline.json"
    written.write_text(json.dumps(json.loads(written.read_text()) | {"started_at": datetime.now(UTC).isoformat()}))
    ended = command(sample, "--send", DD_API_KEY=KEY, DD_DD_URL=intake.url, DD_ENV="nightly")
    assert ended.returncode == 0, ended.stderr
    assert "meshproof.conformance critical" in ended.stdout
    assert intake.control.documents(f"kind:event run:{name} env:nightly")
    assert KEY not in ended.stdout + ended.stderr
    kept = [path for path in sample.parent.rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if KEY.encode() in path.read_bytes()]


def test_the_command_says_where_it_could_send_to(tmp_path: Path) -> None:
    sample = write_run(tmp_path / "reports" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}")
    (sample / "timeline.json").unlink()
    ended = command(sample, "--send")
    assert ended.returncode == 2
    assert "nowhere to send to" in ended.stderr and "DD_API_KEY" in ended.stderr
