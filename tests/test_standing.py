"""A kept cluster that was asleep is waited for, once, whoever was killed while waiting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from meshproof import standing
from meshproof.bed.lifecycle import Bed
from meshproof.errors import MeshproofError
from meshproof.kube import Cluster, ClusterError, ClusterUnreachable, Forbidden
from meshproof.mesh import Mesh
from meshproof.settings import Settings
from meshproof.stack import Installed
from meshproof.timeline import Timeline
from meshproof.timeouts import Timeouts

_POOL = "10.0.0.10-10.0.0.20"
INSTALLED = Installed("run-0", {}, "abc", _POOL, "10.0.0.10", "PEM", installed_at="2026-05-01T12:00:00Z")


class Trial:
    """What became of one mesh whose nodes were started at a moment, in seconds after its installation."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, breaks: bool = False) -> None:
        self.waited = 0
        self.written: list[Installed] = []
        self.mended = 0
        self.unmended = 0
        self.breaks = breaks
        monkeypatch.setattr(standing, "awake", lambda _mesh, _started: None)
        monkeypatch.setattr(standing, "settled", self._settled)
        monkeypatch.setattr(standing, "mend_leftovers", self._mend)
        monkeypatch.setattr(standing, "record", lambda _cluster, _run_id, installed: self.written.append(installed))

    def _mend(self, _mesh: Mesh, _timeline: Timeline) -> None:
        if self.unmended:
            self.unmended -= 1
            raise MeshproofError("the webhook does not answer yet")
        self.mended += 1

    def _settled(self, _mesh: Mesh) -> None:
        assert self.mended, "what is broken may never settle"
        self.waited += 1
        if self.breaks:
            raise MeshproofError("killed")

    def mesh(self, started: float | None, installed: Installed = INSTALLED) -> Mesh:
        at = None if started is None else INSTALLED.stands_since + started
        bed: Any = SimpleNamespace(nodes_started=at)
        mesh = Mesh(Settings(), cast(Bed, bed), cast(Cluster, None), installed, "session")
        return standing._well(mesh, Timeline())


@pytest.mark.parametrize("started", [None, -60])
def test_a_cluster_that_never_slept_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, started: float | None) -> None:
    trial = Trial(monkeypatch)
    assert trial.mesh(started).installed == INSTALLED
    assert (trial.mended, trial.waited, trial.written) == (1, 0, [])


def test_a_woken_cluster_is_waited_for_and_the_moment_is_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(monkeypatch)
    (now,) = {trial.mesh(60).installed.woken_at, *(it.woken_at for it in trial.written)}
    assert now > INSTALLED.installed_at
    assert trial.waited == 1


def test_it_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(monkeypatch)
    woken = trial.mesh(60).installed
    assert trial.mesh(60, woken).installed == woken
    assert trial.waited == 1


def test_who_is_killed_while_waiting_leaves_it_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(monkeypatch, breaks=True)
    with pytest.raises(MeshproofError, match="killed"):
        trial.mesh(60)
    assert trial.written == []
    trial.breaks = False
    assert trial.mesh(60).installed.woken_at
    assert trial.waited == 2


def test_what_was_left_changed_is_mended_first_as_soon_as_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(monkeypatch)
    trial.unmended = 2
    assert trial.mesh(60).installed.woken_at
    assert (trial.mended, trial.waited) == (1, 1)


@pytest.mark.parametrize(
    "error", [ClusterUnreachable("no answer"), Forbidden("cannot get", code=403, message="forbidden")]
)
def test_an_api_server_that_has_just_begun_is_waited_for(error: ClusterError) -> None:
    looks: list[ClusterError | None] = [error, error, None]

    def server_version() -> str:
        if found := looks.pop(0):
            raise found
        return "v1.36.3"

    timeline = Timeline()
    cluster: Any = SimpleNamespace(server_version=server_version, timeouts=Timeouts())
    standing._wait_for_api_server(cast(Cluster, cluster), timeline)
    assert looks == []
    assert [span.name for span in timeline.spans] == ["wake"]
