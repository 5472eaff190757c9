"""Which proxies a mesh waits for before anything is measured: those that run, not those that istiod knows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import meshproof.mesh as module
from meshproof.mesh import Mesh
from meshproof.probe.inventory import Pod
from meshproof.settings import load_settings


def pod(name: str, *containers: str, phase: str = "Running", leaving: bool = False) -> Pod:
    return Pod(
        "apps", name, "10.0.0.1", "node", phase, {}, {}, "default", containers, len(containers), 0, leaving, 0.0, None
    )


def test_all_that_run_are_waited_for_also_while_nobody_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {
        "apps": [
            pod("connected", "app", "istio-proxy"),
            pod("comes-back-later", "app", "istio-proxy"),
            pod("has-none", "app"),
            pod("not-yet", "app", "istio-proxy", phase="Pending"),
            pod("goes", "app", "istio-proxy", leaving=True),
        ]
    }
    waited: list[set[str]] = []
    asked: list[str] = []
    monkeypatch.setattr(module, "pods", lambda _cluster, namespace: there.get(namespace, []))
    monkeypatch.setattr(module, "wait_until_synced", lambda _cluster, proxies: waited.append(proxies()))
    monkeypatch.setattr(module, "drained", lambda proxies, timeout: asked.extend(proxy.pod for proxy in proxies()))
    nothing: Any = SimpleNamespace()
    Mesh(load_settings(), nothing, nothing, nothing, "session").in_force()
    assert waited == [{"connected.apps", "comes-back-later.apps"}]
    assert sorted(asked) == ["comes-back-later", "connected"]
