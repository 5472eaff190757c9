"""The note in the cluster that says what is broken in it on purpose, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from meshproof.kube import Cluster
from meshproof.manifests import Manifest
from meshproof.mend.undoing import Undo, undo, undos
from meshproof.stack.installed import RECORD_NAMESPACE

__all__ = ["begin", "end", "mend", "mutant_in_force"]

_NAME = "mutant"


def begin(cluster: Cluster, mutant: str, steps: Sequence[Undo]) -> None:
    """Write down, before anything is broken, how to mend it."""
    data = {"mutant": mutant, "undo": undos.dump_json(list(steps), by_alias=True).decode()}
    cluster.apply([{**_note(), "data": data}])


def end(cluster: Cluster) -> None:
    """What was broken is mended."""
    cluster.delete_object("ConfigMap", _NAME, RECORD_NAMESPACE, "v1")


def mutant_in_force(cluster: Cluster) -> str | None:
    """The mutant that a run left in force, if one did."""
    return _data(cluster).get("mutant")


def mend(cluster: Cluster, calm: Callable[[], None]) -> str | None:
    """Undo what a run that was killed had broken; the mutant's name, or None when nothing was.

    `calm` switches the faults of the intake off. Does not wait for the effect.
    """
    data = _data(cluster)
    if "mutant" not in data:
        return None
    undo(cluster, undos.validate_json(data["undo"]), calm)
    end(cluster)
    return data["mutant"]


def _data(cluster: Cluster) -> dict[str, str]:
    found = cluster.get("ConfigMap", _NAME, RECORD_NAMESPACE, "v1")
    return dict((found or {}).get("data") or {})


def _note() -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": _NAME, "namespace": RECORD_NAMESPACE}}
