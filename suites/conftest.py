"""The order in which the promises are checked: what the others rest on comes first, what restarts things last."""

from __future__ import annotations

import pytest

_ORDER = (
    *("test_cluster", "test_injection", "test_agent_pods", "test_mtls", "test_gateway_address", "test_routing"),
    *("test_traces", "test_sampling", "test_services"),
    *("test_log_exclusion", "test_metric_exclusion", "test_log_delivery", "test_log_search", "test_log_interruptions"),
    *("test_inventory", "test_apps", "test_log_pipelines"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by file; within a file the order stays."""
    items.sort(key=lambda item: _ORDER.index(item.path.stem) if item.path.stem in _ORDER else len(_ORDER))
