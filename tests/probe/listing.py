"""A cluster that can only list."""

from __future__ import annotations

from typing import Any


class Listing:
    """What a cluster lists, and nothing else of it."""

    def __init__(self, **objects: list[dict[str, Any]]) -> None:
        self.objects = objects

    def list(self, kind: str, namespace: str | None = None, labels: str | None = None, **_: object) -> list[Any]:
        wanted = dict(pair.split("=") for pair in labels.split(",")) if labels else {}
        return [o for o in self.objects.get(kind, []) if wanted.items() <= o["metadata"].get("labels", {}).items()]

    def get(self, kind: str, name: str, namespace: str | None = None, *_: object) -> Any:
        return next((o for o in self.objects.get(kind, []) if o["metadata"]["name"] == name), None)

    def events(self, namespace: str | None = None) -> list[Any]:
        return self.objects.get("Event", [])
