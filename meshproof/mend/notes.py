"""Notes in the cluster of what a check changes for its own length: when its run is killed, the next one undoes it.

A mutant has a note of its own, see journal: it is in force while checks come and go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from meshproof.kube import Cluster
from meshproof.mend.references import Reference
from meshproof.mend.undoing import Patch, Undo, undo, undos
from meshproof.stack.installed import RECORD_NAMESPACE

__all__ = ["NOTE_LABEL", "mend_noted", "noted", "restoring"]

NOTE_LABEL = "meshproof.dev/note"


@contextmanager
def noted(cluster: Cluster, what: str, steps: Sequence[Undo]) -> Iterator[None]:
    """For the length of the block the cluster knows how to undo what is changed in it. The block undoes it itself."""
    name = f"note-{uuid4().hex[:12]}"
    metadata = {"name": name, "namespace": RECORD_NAMESPACE, "labels": {NOTE_LABEL: "true"}}
    data = {"what": what, "undo": undos.dump_json(list(steps), by_alias=True).decode()}
    cluster.apply([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}])
    try:
        yield
    finally:
        cluster.delete_object("ConfigMap", name, RECORD_NAMESPACE, "v1", wait=False)


def restoring(kind: str, name: str, namespace: str, api_version: str, patch: dict[str, Any]) -> Undo:
    """How to put fields of an object back; `patch` has them as they are now."""
    reference = Reference(apiVersion=api_version, kind=kind, name=name, namespace=namespace)
    return Patch(reference=reference, patch=patch)


def mend_noted(cluster: Cluster) -> list[str]:
    """Undo what killed runs had changed, without waiting for the effect; what it was, in words."""
    found = cluster.list("ConfigMap", RECORD_NAMESPACE, f"{NOTE_LABEL}=true", api_version="v1")
    for note in found:
        undo(cluster, undos.validate_json(note["data"]["undo"]), lambda: None)  # checks switch their own faults off
        cluster.delete_object("ConfigMap", note["metadata"]["name"], RECORD_NAMESPACE, "v1", wait=False)
    return [str(note["data"].get("what")) for note in found]
