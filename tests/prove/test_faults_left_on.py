"""Faults and spoils that a killed proof left on in the intake are switched off by the next run, in a real intake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from small_cluster import SmallCluster

from meshproof.errors import UsageError
from meshproof.intake.server import IntakeSettings, running
from meshproof.kube import Cluster
from meshproof.mesh import Mesh
from meshproof.prove import journal, leftovers
from meshproof.prove.changes import planned
from meshproof.prove.faults import calm, inject, spoil
from meshproof.prove.mutants import Mutant
from meshproof.settings import Settings, load_settings
from meshproof.timeline import Timeline
from meshproof.waiting import StateNotReached

KEY = "0123456789abcdef0123456789abcdef"
REFUSED = Mutant.model_validate(
    {
        "name": "batches-refused",
        "breaks": "The backend refuses every batch of log lines.",
        "property": "logs",
        "steps": [{"faults": [{"path": "/api/v2/logs", "status": 403}]}],
        "fails": [{"test": "test_x.py::test_y", "because": "403"}],
    }
)
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "intake-1", "namespace": "datadog", "labels": {"app": "intake"}},
    "spec": {"containers": [{"name": "intake", "image": "intake"}]},
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "intake", "ready": True, "restartCount": 0, "state": {"running": {}}}],
    },
}
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "datadog-secret", "namespace": "datadog"},
    "data": {"api-key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "app-key": "YQ=="},
}


class Near(Cluster):
    """A cluster whose intake runs in this process: the way to it is not what is tested here."""

    intake = ""

    @contextmanager
    def forward(self, namespace: str, pod: str, port: int) -> Iterator[str]:
        assert (namespace, pod, port) == ("datadog", "intake-1", 8080)
        yield self.intake.removeprefix("http://")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with running(IntakeSettings(folder=tmp_path / "intake", port=0, key=KEY)) as url:
        yield url


@pytest.fixture
def mesh(url: str, tmp_path: Path) -> Iterator[Mesh]:
    with SmallCluster() as small, Near(small.write_kubeconfig(tmp_path / "kubeconfig")) as cluster:
        cluster.intake = url
        small.has(POD, SECRET)
        yield mesh_of(cluster, load_settings())


def mesh_of(cluster: Cluster, settings: Settings) -> Mesh:
    nothing: Any = SimpleNamespace()
    return Mesh(settings, nothing, cluster, nothing, "session")


def sent(url: str) -> int:
    """The status of one batch of log lines."""
    return httpx.post(f"{url}/api/v2/logs", json=[{"message": "m"}], headers={"DD-API-KEY": KEY}).status_code


def found(url: str) -> int:
    """How many lines a search finds."""
    return len(httpx.get(f"{url}/api/v2/logs/events", headers={"DD-API-KEY": KEY}).json()["data"])


def test_the_next_run_switches_off_what_a_killed_one_left_on(
    mesh: Mesh, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.begin(mesh.cluster, REFUSED.name, planned(mesh.cluster, REFUSED))
    inject(mesh, [fault.model_dump() for fault in REFUSED.steps[0].faults or ()])
    assert sent(url) == 403
    # The run is killed here. The next one finds its note.
    monkeypatch.setattr(leftovers, "settled", lambda mesh: None)
    leftovers.mend_leftovers(mesh, Timeline())
    assert sent(url) == 202
    assert journal.mutants_in_force(mesh.cluster) == []


def test_the_note_stays_while_the_faults_cannot_be_switched_off(mesh: Mesh, url: str) -> None:
    journal.begin(mesh.cluster, REFUSED.name, planned(mesh.cluster, REFUSED))
    mesh.cluster.delete_object("Pod", "intake-1", "datadog", "v1")
    mesh.settings = load_settings(timeouts={"rollout": 0.01})
    with pytest.raises(StateNotReached, match="faults of the intake are off"):
        leftovers.mend_leftovers(mesh, Timeline())
    assert journal.mutants_in_force(mesh.cluster) == [REFUSED.name]


def test_rate_limits_are_switched_off_too(mesh: Mesh, url: str) -> None:
    limit = {"rate_limits": [{"path": "/api/v2/logs", "limit": 1, "period": 3600}]}
    assert httpx.put(f"{url}/meshproof/faults", json=limit, headers={"DD-API-KEY": KEY}).is_success
    assert [sent(url), sent(url)] == [202, 429]
    calm(mesh)
    assert [sent(url), sent(url)] == [202, 202]


def test_spoils_are_switched_off_too(mesh: Mesh, url: str) -> None:
    spoil(mesh, [{"of": "logs", "lost": True}])
    assert sent(url) == 202
    assert found(url) == 0
    calm(mesh)
    assert found(url) == 1


def test_datadog_itself_has_no_faults_to_switch_on(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DD_API_KEY", "DD_APP_KEY"):
        monkeypatch.setenv(name, "0" * 32)
    saas = mesh_of(mesh.cluster, load_settings(datadog="saas"))
    with pytest.raises(UsageError, match="embedded intake, and there is none"):
        inject(saas, [{"path": "*", "status": 500}])
    with pytest.raises(UsageError, match="embedded intake, and there is none"):
        spoil(saas, [{"of": "logs", "lost": True}])
    calm(saas)  # nothing to do, and nobody is asked
