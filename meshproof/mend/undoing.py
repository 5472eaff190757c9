"""How to undo what is done to the cluster, as data that can be written down before it is done."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from meshproof.errors import MeshproofError, UsageError
from meshproof.kube import Cluster
from meshproof.mend.references import Command, Pods, Reference, reference_of

__all__ = [
    *("Calm", "Create", "Delete", "NotMended", "Patch", "Restart", "Run", "Undo"),
    *("delete", "difference", "not_undone", "patch", "pods_of", "restart", "run", "undo", "undos"),
]

_RESTARTED = "meshproof.dev/restarted-at"


class NotMended(MeshproofError):
    """What was changed could not be undone. The note in the cluster stays, for the next run to mend it."""


class _Undo(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Create(_Undo):
    """Bring a deleted object back."""

    do: Literal["create"] = "create"
    manifest: dict[str, Any]


class Patch(_Undo):
    """Merge a patch that gives the object its old fields again."""

    do: Literal["patch"] = "patch"
    reference: Reference
    patch: dict[str, Any]


class Delete(_Undo):
    """Remove an object that was not there."""

    do: Literal["delete"] = "delete"
    reference: Reference


class Run(_Undo):
    """Run the command that undoes another."""

    do: Literal["run"] = "run"
    command: Command


class Restart(_Undo):
    """Restart a workload once more, after all else is undone: its pods are of the broken time."""

    do: Literal["restart"] = "restart"
    reference: Reference


class Calm(_Undo):
    """Switch the faults and spoils of the intake off. How, `undo` is told: they are not the cluster's."""

    do: Literal["calm"] = "calm"


Undo = Annotated[Create | Patch | Delete | Run | Restart | Calm, Field(discriminator="do")]
undos: TypeAdapter[list[Undo]] = TypeAdapter(list[Undo])
"""The list as JSON and back."""


def undo(cluster: Cluster, steps: Sequence[Undo], calm: Callable[[], None]) -> None:
    """Undo the steps, last one first, and restart at the very end. May be repeated.

    `calm` switches the faults of the intake off; it is called when a step had switched some on.
    """
    for step in reversed(steps):
        if isinstance(step, Create):
            if cluster.get(*reference_of(step.manifest).address) is None:
                cluster.apply([step.manifest])
        elif isinstance(step, Patch):
            patch(cluster, step.reference, step.patch)
        elif isinstance(step, Delete):
            delete(cluster, step.reference)
        elif isinstance(step, Run):
            with suppress(MeshproofError):  # undone already, or its pods are new ones
                run(cluster, step.command)
        elif isinstance(step, Calm):
            calm()
    for step in steps:
        if isinstance(step, Restart):
            restart(cluster, step.reference)


def not_undone(cluster: Cluster, steps: Sequence[Undo]) -> list[str]:
    """What is not as it was although the steps were undone, by object; what cannot be looked at counts as undone."""
    left = []
    for step in steps:
        if isinstance(step, Create):
            reference = reference_of(step.manifest)
            fine = cluster.get(*reference.address) is not None
        elif isinstance(step, Patch):
            reference = step.reference
            found = cluster.get(*reference.address)
            fine = found is not None and _holds(found, step.patch)
        elif isinstance(step, Delete):
            reference = step.reference
            fine = cluster.get(*reference.address) is None
        else:
            continue
        if not fine:
            left.append(f"{reference} is not as it was")
    return left


def _holds(found: Any, patch: Mapping[str, Any]) -> bool:
    """Whether to merge the patch would change nothing. An empty object is the same as none."""
    for key, value in patch.items():
        there = found.get(key)
        if isinstance(value, dict):
            if not isinstance(there, dict | None) or not _holds(there or {}, value):
                return False
        elif there != value:
            return False
    return True


def difference(before: Any, after: Any) -> dict[str, Any]:
    """The merge patch (RFC 7386) that leads from one object to the other."""
    patch: dict[str, Any] = {}
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if key not in after:
            patch[key] = None
        elif key not in before:
            patch[key] = copy.deepcopy(new)
        elif isinstance(old, dict) and isinstance(new, dict):
            if inner := difference(old, new):
                patch[key] = inner
        elif old != new:
            patch[key] = copy.deepcopy(new)
    return patch


def delete(cluster: Cluster, reference: Reference) -> None:
    """Delete an object, and wait until it is gone; a claim goes with the last pod that uses it."""
    kind, name, namespace, api_version = reference.address
    cluster.delete_object(kind, name, namespace, api_version, wait=kind != "PersistentVolumeClaim")


def patch(cluster: Cluster, reference: Reference, patch: dict[str, Any]) -> None:
    """Merge a patch into an object."""
    if patch:
        cluster.patch(reference.kind, reference.name, patch, reference.namespace, reference.api_version)


def restart(cluster: Cluster, reference: Reference) -> None:
    """Replace a workload's pods, as `kubectl rollout restart` does it, without waiting."""
    stamp = {"metadata": {"annotations": {_RESTARTED: f"{time.time():.3f}"}}}
    patch(cluster, reference, {"spec": {"template": stamp}})


def run(cluster: Cluster, command: Command) -> None:
    """Run a command in its pods. Raises MeshproofError when it fails in one of them."""
    for name in pods_of(cluster, command):
        result = cluster.execute(command.namespace, name, command.argv, container=command.container)
        if result.code != 0:
            raise MeshproofError(
                f"a mutant's command failed in {command.namespace}/{name}",
                seen=f"{' '.join(command.argv)}: {result.stderr.decode(errors='replace')[:300]}",
            )


def pods_of(cluster: Cluster, pods: Pods) -> list[str]:
    """The names of pods that are there to stay. Raises UsageError when there are none."""
    found = cluster.list("Pod", pods.namespace, pods.labels, api_version="v1")
    names = [pod["metadata"]["name"] for pod in found if not pod["metadata"].get("deletionTimestamp")]
    if not names:
        raise UsageError(f"a mutant is about pods that are not there: {pods.namespace}, {pods.labels}")
    return names
