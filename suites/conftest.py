"""The order in which the promises are checked: what the others rest on comes first, what restarts things last."""

from __future__ import annotations

import pytest

_ORDER = ("test_cluster", "test_injection", "test_mtls", "test_gateway_address", "test_routing", "test_apps")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by file; within a file the order stays."""
    items.sort(key=lambda item: _ORDER.index(item.path.stem) if item.path.stem in _ORDER else len(_ORDER))
