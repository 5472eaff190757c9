"""The order in which the promises are checked: what the others rest on comes first, what restarts things last."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshproof.load.strictness import STRICTNESS, Strict
from meshproof.mesh import Mesh

_ORDER = (
    *("test_cluster", "test_injection", "test_agent_pods", "test_mtls", "test_gateway_address", "test_routing"),
    *("test_traces", "test_sampling"),
    *("test_log_exclusion", "test_metric_exclusion", "test_log_delivery", "test_log_search", "test_log_interruptions"),
    *("test_inventory", "test_apps", "test_log_pipelines", "test_split", "test_canary"),
    *("test_weights", "test_retries", "test_services", "test_parity"),
    *("test_same_version", "test_soak"),
)


@pytest.fixture(scope="session")
def strict(mesh: Mesh) -> Strict:
    """How finely and how surely this run judges."""
    found = STRICTNESS[mesh.settings.strictness]
    return replace(found, requests=mesh.settings.requests or found.requests)


# Its requests are counted while all else is looked at: figures take up to half a minute.
_EARLIER = {"test_every_service_is_on_the_list": "test_traces"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by file; within a file the order stays."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> tuple[int, bool]:
    earlier = item.name in _EARLIER
    file = _EARLIER.get(item.name, item.path.stem)
    return (_ORDER.index(file) if file in _ORDER else len(_ORDER)), not earlier
