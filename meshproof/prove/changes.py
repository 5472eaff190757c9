"""What a mutant does to the cluster, written down before it is done, so that whoever comes next can undo it."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from meshproof.errors import MeshproofError, UsageError
from meshproof.kube import Cluster
from meshproof.manifests import Manifest
from meshproof.prove.mutants import Command, Mutant, Pods, Reference, Step
from meshproof.stack.overlay import lay_over

__all__ = ["NotMended", "Undo", "difference", "not_undone", "perform", "planned", "touched", "undo", "undos"]

_GIVEN_BY_SERVER = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
_RESTARTED = "meshproof.dev/restarted-at"


class NotMended(MeshproofError):
    """What a mutant broke could not be undone. The note in the cluster stays, for the next run to mend it."""


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


def planned(cluster: Cluster, mutant: Mutant) -> list[Undo]:
    """How to undo every step, read from the cluster as it is. Changes nothing.

    Raises UsageError when a step is about something that is not there.
    """
    return [undo for step in mutant.steps for undo in _planned(cluster, step)]


def perform(cluster: Cluster, step: Step) -> None:
    """Do one step, without waiting for its effect. `faults` and `spoils` are not the cluster's: see faults.py."""
    if step.delete is not None:
        _delete(cluster, step.delete)
    elif (change := _changed(cluster, step)) is not None:
        _patch(cluster, change.reference, difference(change.before, change.after))
    elif step.apply is not None:
        cluster.apply(step.apply)
    elif step.restart is not None:
        _restart(cluster, step.restart)
    elif step.run is not None:
        _run(cluster, step.run)
    elif step.end is not None:
        for name in _pods(cluster, step.end):
            cluster.delete_object("Pod", name, step.end.namespace, "v1", wait=False)


def undo(cluster: Cluster, steps: Sequence[Undo], calm: Callable[[], None]) -> None:
    """Undo the steps, last one first, and restart at the very end. May be repeated.

    `calm` switches the faults of the intake off; it is called when a step had switched some on.
    """
    for step in reversed(steps):
        if isinstance(step, Create):
            if cluster.get(*_address(reference_of(step.manifest))) is None:
                cluster.apply([step.manifest])
        elif isinstance(step, Patch):
            _patch(cluster, step.reference, step.patch)
        elif isinstance(step, Delete):
            _delete(cluster, step.reference)
        elif isinstance(step, Run):
            with suppress(MeshproofError):  # undone already, or its pods are new ones
                _run(cluster, step.command)
        elif isinstance(step, Calm):
            calm()
    for step in steps:
        if isinstance(step, Restart):
            _restart(cluster, step.reference)


def not_undone(cluster: Cluster, steps: Sequence[Undo]) -> list[str]:
    """What is not as it was although the steps were undone, by object; what cannot be looked at counts as undone."""
    left = []
    for step in steps:
        if isinstance(step, Create):
            reference = reference_of(step.manifest)
            fine = cluster.get(*_address(reference)) is not None
        elif isinstance(step, Patch):
            reference = step.reference
            found = cluster.get(*_address(reference))
            fine = found is not None and _holds(found, step.patch)
        elif isinstance(step, Delete):
            reference = step.reference
            fine = cluster.get(*_address(reference)) is None
        else:
            continue
        if not fine:
            left.append(f"{_words(reference)} is not as it was")
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


def reference_of(manifest: Mapping[str, Any]) -> Reference:
    """What a manifest is about."""
    metadata = manifest["metadata"]
    return Reference(
        apiVersion=manifest["apiVersion"],
        kind=manifest["kind"],
        name=metadata["name"],
        namespace=metadata.get("namespace"),
    )


def touched(mutant: Mutant) -> Iterator[Reference]:
    """The objects that a mutant's steps name."""
    for step in mutant.steps:
        for manifest in [*(step.apply or []), *([step.overlay] if step.overlay else [])]:
            yield reference_of(manifest)
        for reference in (step.delete, step.restart, step.substitute):
            if reference is not None:
                yield reference


def _planned(cluster: Cluster, step: Step) -> Iterator[Undo]:
    if step.delete is not None:
        yield Create(manifest=_own_part(_found(cluster, step.delete)))
    elif (change := _changed(cluster, step)) is not None:
        yield Patch(reference=change.reference, patch=difference(change.after, change.before))
    elif step.apply is not None:
        for manifest in step.apply:
            reference = reference_of(manifest)
            found = cluster.get(*_address(reference))
            if found is not None:
                raise UsageError(
                    f"a mutant may only add what is not there: {_words(reference)} is",
                    remedy="use `overlay` to change it",
                )
            yield Delete(reference=reference)
    elif step.restart is not None:
        _found(cluster, step.restart)
        yield Restart(reference=step.restart)
    elif step.run is not None and step.run.undo:
        yield Run(command=step.run.model_copy(update={"argv": step.run.undo, "undo": None}))
    elif step.faults is not None or step.spoils is not None:
        yield Calm()


@dataclass(frozen=True)
class _Change:
    """One object, as it is and as a step would have it."""

    reference: Reference
    before: Manifest
    after: Manifest


def _changed(cluster: Cluster, step: Step) -> _Change | None:
    """What an overlay or a substitution makes of its object; None for steps of other kinds."""
    overlay = _overlay(cluster, step)
    if overlay is None:
        return None
    reference = reference_of(overlay)
    before = _found(cluster, reference)
    return _Change(reference, before, lay_over([before], [overlay])[0])


def _overlay(cluster: Cluster, step: Step) -> Manifest | None:
    """What an overlay or a substitution lays over its object; None for steps of other kinds."""
    if step.substitute is None:
        return step.overlay
    change = step.substitute
    *outer, last = change.field.split(".")
    holder: Any = _found(cluster, change)
    for name in outer:
        holder = holder.get(name) or {}
    text = holder.get(last)
    if not isinstance(text, str) or change.old not in text:
        raise UsageError(
            f"a mutant replaces a text that is not there: {_words(change)}, {change.field}",
            seen=repr(text)[:300],
            remedy="correct the mutant, or the mesh that it is meant for",
        )
    value: Any = {last: text.replace(change.old, change.new)}
    for name in reversed(outer):
        value = {name: value}
    metadata = {"name": change.name, "namespace": change.namespace}
    return {"apiVersion": change.api_version, "kind": change.kind, "metadata": metadata, **value}


def _found(cluster: Cluster, reference: Reference) -> Manifest:
    found = cluster.get(*_address(reference))
    if found is None:
        raise UsageError(
            f"a mutant is about {_words(reference)}, which is not there",
            remedy="correct the mutant, or the mesh that it is meant for",
        )
    return found


def _own_part(manifest: Manifest) -> Manifest:
    """An object without what only the server says of it, ready to be created again."""
    metadata = {name: value for name, value in manifest["metadata"].items() if name not in _GIVEN_BY_SERVER}
    spec = manifest.get("spec")
    if manifest["kind"] == "PersistentVolumeClaim" and isinstance(spec, dict):
        # The volume goes with its claim; a new one has to be found.
        manifest = {**manifest, "spec": {name: value for name, value in spec.items() if name != "volumeName"}}
        metadata["annotations"] = {
            name: value for name, value in (metadata.get("annotations") or {}).items() if "kubernetes.io" not in name
        }
        metadata.pop("finalizers", None)
    return {**{name: value for name, value in manifest.items() if name != "status"}, "metadata": metadata}


def _delete(cluster: Cluster, reference: Reference) -> None:
    kind, name, namespace, api_version = _address(reference)
    cluster.delete_object(kind, name, namespace, api_version, wait=kind != "PersistentVolumeClaim")


def _patch(cluster: Cluster, reference: Reference, patch: dict[str, Any]) -> None:
    if patch:
        cluster.patch(reference.kind, reference.name, patch, reference.namespace, reference.api_version)


def _restart(cluster: Cluster, reference: Reference) -> None:
    stamp = {"metadata": {"annotations": {_RESTARTED: f"{time.time():.3f}"}}}
    _patch(cluster, reference, {"spec": {"template": stamp}})


def _run(cluster: Cluster, command: Command) -> None:
    for name in _pods(cluster, command):
        result = cluster.execute(command.namespace, name, command.argv, container=command.container)
        if result.code != 0:
            raise MeshproofError(
                f"a mutant's command failed in {command.namespace}/{name}",
                seen=f"{' '.join(command.argv)}: {result.stderr.decode(errors='replace')[:300]}",
            )


def _pods(cluster: Cluster, pods: Pods) -> list[str]:
    found = cluster.list("Pod", pods.namespace, pods.labels, api_version="v1")
    names = [pod["metadata"]["name"] for pod in found if not pod["metadata"].get("deletionTimestamp")]
    if not names:
        raise UsageError(f"a mutant is about pods that are not there: {pods.namespace}, {pods.labels}")
    return names


def _address(reference: Reference) -> tuple[str, str, str | None, str]:
    return reference.kind, reference.name, reference.namespace, reference.api_version


def _words(reference: Reference) -> str:
    place = f"{reference.namespace}/" if reference.namespace else ""
    return f"{reference.kind} {place}{reference.name}"
