"""What the nightly suites share."""

from __future__ import annotations

import pytest

from meshproof.load.strictness import STRICTNESS, Strict
from meshproof.mesh import Mesh
from meshproof.probe import Proxy


@pytest.fixture(scope="session")
def strict(mesh: Mesh) -> Strict:
    """How finely and how surely this run judges."""
    return STRICTNESS[mesh.settings.strictness]


@pytest.fixture
def gateways(mesh: Mesh) -> list[Proxy]:
    """The proxies of all gateway pods that are there now: they choose for requests from outside."""
    pods = [pod for pod in mesh.pods("istio-system") if pod.labels.get("app") == "istio-ingressgateway"]
    return [mesh.proxy(pod) for pod in pods]
