"""What is taken down, also when the engine that it was in is dead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from meshproof.bed import lifecycle
from meshproof.bed.engine import OwnEngine
from meshproof.bed.ownership import Records, RunState
from meshproof.settings import Settings
from meshproof.timeline import Timeline


class Dockerd:
    """Stands in for the daemon: whether it runs, and the nodes in its store."""

    def __init__(self, *nodes: str) -> None:
        self.runs = False
        self.nodes = list(nodes)
        self.log = list[str]()


@pytest.fixture
def dockerd(monkeypatch: pytest.MonkeyPatch) -> Dockerd:
    daemon = Dockerd("cluster-istio-control-plane")

    def start(_self: OwnEngine, **_: Any) -> None:
        daemon.runs = True
        daemon.log.append("start")

    def stop(_self: OwnEngine, **_: Any) -> None:
        daemon.runs = False
        daemon.log.append("stop")

    @contextmanager
    def client(_self: OwnEngine, timeout: float = 1) -> Iterator[None]:
        assert daemon.runs, "the engine is asked while it is dead"
        yield

    def remove_nodes(_client: object, _name: str, _run: str) -> int:
        count = len(daemon.nodes)
        daemon.nodes.clear()
        return count

    monkeypatch.setattr(OwnEngine, "answers", lambda _self: daemon.runs)
    monkeypatch.setattr(OwnEngine, "clear", lambda _self: 0)
    monkeypatch.setattr(OwnEngine, "start", start)
    monkeypatch.setattr(OwnEngine, "stop", stop)
    monkeypatch.setattr(OwnEngine, "client", client)
    monkeypatch.setattr(lifecycle.engines, "find_running", lambda _settings: None)
    monkeypatch.setattr(lifecycle.kind, "remove_nodes", remove_nodes)
    return daemon


def kept(settings: Settings) -> None:
    records = Records(settings.state)
    record = records.claim(
        run_id="r1",
        cluster_name=settings.cluster_name,
        engine_host=OwnEngine.of(settings).host,
        workers=0,
        metallb="0.15.2",
        kubernetes="1.36.3",
        datadog="intake",
        tracing="telemetry",
    )
    records.write(record.model_copy(update={"state": RunState.KEPT}))


def test_a_kept_cluster_goes_although_its_engine_was_killed(tmp_path: Path, dockerd: Dockerd) -> None:
    settings = Settings(state=tmp_path / "state", cache=tmp_path / "cache")
    kept(settings)
    assert lifecycle.take_down(settings, Timeline()) == ["cluster cluster-istio"]
    assert not dockerd.nodes
    assert dockerd.log == ["start", "stop"]
    assert not list(Records(settings.state))


def test_no_engine_is_started_for_nothing(tmp_path: Path, dockerd: Dockerd) -> None:
    settings = Settings(state=tmp_path / "state", cache=tmp_path / "cache")
    assert lifecycle.take_down(settings, Timeline()) == []
    assert not dockerd.log
