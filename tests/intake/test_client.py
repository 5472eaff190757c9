"""What the suites ask beside the public API, and the keys that they ask with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from intake_server import Intake

from meshproof import datadog as module
from meshproof.datadog import Datadog, keys_for
from meshproof.errors import InvalidMeasurement, MeshproofError, UsageError
from meshproof.intake.backend import Backend
from meshproof.intake.client import IntakeControl
from meshproof.keys import SITE, Keys, site_of
from meshproof.settings import DatadogChoice, load_settings
from meshproof.timeouts import Timeouts

PLANTED = "5ec4e7" * 5


@pytest.fixture
def control(own_intake: Intake) -> Iterator[IntakeControl]:
    found = IntakeControl(own_intake.url, own_intake.settings.key)
    yield found
    found.close()


def test_documents_come_in_pages_newest_first(own_intake: Intake, control: IntakeControl) -> None:
    now = int(datetime.now(UTC).timestamp())
    for number in range(25):
        run = {"check": "disk.full", "host_name": f"host{number:02}", "status": 0, "timestamp": now - 60 + number}
        assert own_intake.http.post("/api/v1/check_run", json=[run]).is_success
    found = control.documents("kind:check_run name:disk.full", limit=1000)
    assert len(found) == 25
    assert len(control.documents("kind:check_run name:disk.full", limit=7)) == 7
    assert control.documents("kind:check_run name:disk.full", since=datetime.now(UTC) + timedelta(hours=1)) == []


def test_faults_last_as_long_as_their_block(own_intake: Intake, control: IntakeControl) -> None:
    def sent() -> int:
        return own_intake.http.post("/api/v2/logs", json=[{"message": "m"}]).status_code

    with control.faults({"path": "/api/v2/logs", "status": 500}):
        assert sent() == 500
    assert sent() == 202
    with pytest.raises(ZeroDivisionError), control.faults({"path": "/api/v2/logs", "status": 500}):
        _ = 1 / 0
    assert sent() == 202


def test_a_fault_that_makes_no_sense_is_refused_by_name(control: IntakeControl) -> None:
    with pytest.raises(MeshproofError, match="status or reset"), control.faults({"path": "/api/v2/logs"}):
        pass


def test_an_intake_that_is_gone_is_told() -> None:
    control = IntakeControl("http://127.0.0.1:9", "k")
    with pytest.raises(MeshproofError, match="cannot be reached"):
        control.status()
    control.close()


def watched(backend: Any, **timeouts: float) -> Datadog:
    mesh = SimpleNamespace(timeouts=Timeouts(**timeouts))
    since = datetime.now(UTC) - timedelta(minutes=1)
    return Datadog(mesh, backend, DatadogChoice.INTAKE, None, since)  # type: ignore[arg-type]


def test_an_answer_is_waited_for(own_intake: Intake, mark: str) -> None:
    backend = Backend.of_intake(own_intake.url, own_intake.settings.key)
    datadog = watched(backend)
    asked: list[int] = []

    def enough(found: list[Any]) -> bool:
        if not asked:
            own_intake.http.post("/api/v2/logs", json=[{"message": mark}])
        asked.append(len(found))
        return bool(found)

    assert len(datadog.logs(mark, until=enough, what="one line")) == 1
    assert asked[0] == 0
    backend.close()


def test_the_last_answer_is_for_the_check_to_judge(own_intake: Intake, mark: str) -> None:
    backend = Backend.of_intake(own_intake.url, own_intake.settings.key)
    own_intake.http.post("/api/v2/logs", json=[{"message": mark}])
    found = watched(backend, searchable=0.5).logs(mark, until=lambda lines: len(lines) == 2, what="two lines")
    assert len(found) == 1
    backend.close()


def test_a_backend_that_never_answered_is_no_verdict() -> None:
    backend = Backend.of_intake("http://127.0.0.1:9", "k")
    with pytest.raises(InvalidMeasurement, match="not to be asked"):
        watched(backend, searchable=0.1).spans("service:a", until=bool, what="a span")
    backend.close()


# --- keys


def test_keys_do_not_show() -> None:
    keys = Keys(PLANTED, PLANTED)
    assert PLANTED not in f"{keys!r} {keys}"
    assert Keys.minted() != Keys.minted()


def test_the_intake_gets_keys_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DD_API_KEY", PLANTED)
    keys = keys_for(load_settings())
    assert len(keys.api) == 32
    assert PLANTED not in (keys.api, keys.application)


def test_the_site_is_the_users_or_datadogs_own() -> None:
    assert site_of({"DD_SITE": " datadoghq.eu "}) == "datadoghq.eu"
    assert site_of({"DD_SITE": ""}) == site_of({}) == SITE


@pytest.mark.parametrize(
    ("environment", "named"),
    [({}, "DD_API_KEY and DD_APP_KEY"), ({"DD_API_KEY": "a", "DD_APP_KEY": " "}, "DD_APP_KEY")],
)
def test_keys_that_are_missing_are_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(UsageError, match=rf"needs {named}\n"):
        Keys.of_environment(environment)


def test_without_keys_nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DD_API_KEY", raising=False)
    monkeypatch.setenv("DD_APP_KEY", "b")
    with pytest.raises(UsageError, match="needs DD_API_KEY"):
        keys_for(load_settings(datadog="saas"))


def test_a_wrong_key_is_refused_before_anything_begins(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Datadog itself is stood in for by an intake with another key."""
    monkeypatch.setenv("DD_API_KEY", PLANTED)
    monkeypatch.setenv("DD_APP_KEY", "b")
    monkeypatch.delenv("DD_SITE", raising=False)

    def of_saas(keys: Keys, site: str) -> Backend:
        assert site == SITE
        return Backend.of_intake(intake.url, keys.api)

    monkeypatch.setattr(module.Backend, "of_saas", of_saas)
    with pytest.raises(UsageError, match="does not accept the API key") as refused:
        keys_for(load_settings(datadog="saas"))
    assert PLANTED not in str(refused.value)
    assert httpx.get(f"{intake.url}/meshproof/health").is_success


def test_what_the_stand_in_leaves_out_is_told_by_itself(own_intake: Intake, control: IntakeControl) -> None:
    datadog = watched(None)
    datadog.intake = control
    datadog.mesh.bed = SimpleNamespace(source="source")  # type: ignore[assignment]
    with pytest.raises(InvalidMeasurement, match="has not told"):
        _ = datadog.left_out
    run = {"check": "meshproof.stand_in.not_done", "host_name": "n", "status": 3, "timestamp": 1}
    for feature in ("npm", "usm"):
        told = run | {"message": f"no eBPF for {feature}", "tags": [f"feature:{feature}"]}
        own_intake.http.post("/api/v1/check_run", json=[told])
    assert datadog.left_out == {"npm": "no eBPF for npm", "usm": "no eBPF for usm"}


def test_datadogs_own_agent_leaves_nothing_out(control: IntakeControl) -> None:
    datadog = watched(None)
    datadog.intake = control
    datadog.mesh.bed = SimpleNamespace(source="registry")  # type: ignore[assignment]
    assert datadog.left_out == {}
