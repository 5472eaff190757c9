"""The notes in the cluster that say what is broken in it on purpose, and how to mend it: one for each lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from meshproof.kube import Cluster
from meshproof.manifests import Manifest
from meshproof.mend.undoing import Undo, undo, undos
from meshproof.stack.installed import RECORD_NAMESPACE

__all__ = ["begin", "end", "mend", "mutants_in_force"]

_LABEL = "meshproof.dev/mutant"


def begin(cluster: Cluster, mutant: str, steps: Sequence[Undo], lane: int = 0) -> None:
    """Write down, before anything is broken in a lane, how to mend it; what stood there before is mended."""
    metadata = {"name": _name(lane), "namespace": RECORD_NAMESPACE, "labels": {_LABEL: "true"}}
    data = {"mutant": mutant, "undo": undos.dump_json(list(steps), by_alias=True).decode()}
    cluster.apply([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}])


def end(cluster: Cluster, lane: int = 0) -> None:
    """What was broken in a lane is mended."""
    cluster.delete_object("ConfigMap", _name(lane), RECORD_NAMESPACE, "v1")


def mutants_in_force(cluster: Cluster) -> list[str]:
    """The mutants that a run left in force."""
    return [note["data"]["mutant"] for note in _notes(cluster)]


def mend(cluster: Cluster, calm: Callable[[], None]) -> list[str]:
    """Undo what a run that was killed had broken; the mutants' names.

    `calm` switches the faults of the intake off. Does not wait for the effect.
    """
    found = _notes(cluster)
    for note in found:
        undo(cluster, undos.validate_json(note["data"]["undo"]), calm)
        cluster.delete_object("ConfigMap", note["metadata"]["name"], RECORD_NAMESPACE, "v1")
    return [note["data"]["mutant"] for note in found]


def _notes(cluster: Cluster) -> list[Manifest]:
    return list(cluster.list("ConfigMap", RECORD_NAMESPACE, f"{_LABEL}=true", api_version="v1"))


def _name(lane: int) -> str:
    return f"mutant-{lane}"
