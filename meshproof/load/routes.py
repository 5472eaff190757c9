"""What a proxy's routes say about a split, and what a VirtualService promises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["Weights", "promised_weights", "weights_held"]

Weights = Mapping[str, int]
"""By subset; a subset that gets nothing is left out."""


def promised_weights(virtual_service: Mapping[str, Any]) -> Weights:
    """The weights of the first HTTP route."""
    destinations = virtual_service["spec"]["http"][0]["route"]
    alone = len(destinations) == 1
    weights = {str(it["destination"].get("subset")): int(it.get("weight", 100 if alone else 0)) for it in destinations}
    return {subset: weight for subset, weight in weights.items() if weight}


def weights_held(dump: Iterable[Mapping[str, Any]], service: str, port: int = 80) -> list[Weights]:
    """The weights of every route of a proxy's dynamic_route_configs that leads to the service on that port, each kind
    once. A route to one subset alone, or to none, has the weight 100."""
    found: list[Weights] = []
    for action in _actions(list(dump)):
        clusters = (action.get("weighted_clusters") or {}).get("clusters") or [{"name": action.get("cluster")}]
        weights: dict[str, int] = {}
        for cluster in clusters:
            parts = str(cluster.get("name")).split("|")
            if len(parts) == 4 and parts[0] == "outbound" and parts[1] == str(port) and parts[3] == service:
                weights[parts[2]] = int(cluster.get("weight", 100 if len(clusters) == 1 else 0))
        if weights and weights not in found:
            found.append(weights)
    return found


def _actions(part: object) -> Iterator[Mapping[str, Any]]:
    """Whatever a route does that leads to clusters, wherever in the dump it stands."""
    if isinstance(part, Mapping):
        if "weighted_clusters" in part or isinstance(part.get("cluster"), str):
            yield part
        for value in part.values():
            yield from _actions(value)
    elif isinstance(part, Sequence) and not isinstance(part, str):
        for value in part:
            yield from _actions(value)
