"""For our own tests: the plugin is tested by running pytest on written files."""

from __future__ import annotations

pytest_plugins = ["pytester"]
