"""What the nightly suites share."""

from __future__ import annotations

import pytest

from meshproof.mesh import Mesh
from meshproof.probe import Proxy


@pytest.fixture
def gateways(mesh: Mesh) -> list[Proxy]:
    """The proxies of all gateway pods, anew for each check: a soak replaces them."""
    return mesh.gateway_proxies
