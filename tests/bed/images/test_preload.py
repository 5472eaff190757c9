"""Only what a killed run was building is cleared away, never a cluster that stands."""

from __future__ import annotations

from typing import Any, cast

from meshproof.bed.images.container import EngineImages
from meshproof.bed.images.preload import building, clear_leftovers


class Container:
    """As the engine has it. Nodes inherit the labels of the container that their image was committed from."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.labels = {"meshproof.build": "node"}
        self.removed = False

    def remove(self, **_how: Any) -> None:
        self.removed = True


class Engine:
    def __init__(self, *names: str) -> None:
        self.all = [Container(name) for name in names]
        self.client = self.containers = self

    def list(self, *, all: bool, filters: dict[str, str]) -> list[Container]:
        """The engine looks for a name anywhere within a name."""
        assert all
        found = [it for it in self.all if filters.get("name", "") in it.name]
        return [it for it in found if "label" not in filters or filters["label"] in it.labels]


def test_nodes_of_a_cluster_stay() -> None:
    engine = Engine(building("node"), "cluster-istio-control-plane", f"x-{building('node')}", building("node-base"))
    clear_leftovers(cast(EngineImages, engine))
    assert [it.name for it in engine.all if not it.removed] == ["cluster-istio-control-plane", engine.all[2].name]


def test_two_builds_have_different_names() -> None:
    assert building("node") != building("node")
