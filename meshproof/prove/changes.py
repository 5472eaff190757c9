"""What a mutant does to the cluster, written down before it is done, so that whoever comes next can undo it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from meshproof.errors import UsageError
from meshproof.kube import Cluster
from meshproof.manifests import Manifest
from meshproof.mend.references import Reference, reference_of
from meshproof.mend.undoing import (
    Calm,
    Create,
    Delete,
    Patch,
    Restart,
    Run,
    Undo,
    delete,
    difference,
    patch,
    pods_of,
    restart,
    run,
)
from meshproof.prove.mutants import Mutant, Step
from meshproof.stack.overlay import lay_over
from meshproof.waiting import eventually

__all__ = ["perform", "planned", "touched"]

_GIVEN_BY_SERVER = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")


def planned(cluster: Cluster, mutant: Mutant) -> list[Undo]:
    """How to undo every step, read from the cluster as it is. Changes nothing.

    Raises UsageError when a step is about something that is not there.
    """
    return [undo for step in mutant.steps for undo in _planned(cluster, step)]


def perform(cluster: Cluster, step: Step) -> None:
    """Do one step, without waiting for its effect, unless it is such a wait. `faults` and `spoils` are not the
    cluster's: see faults.py.

    Raises StateNotReached when pods that have to be gone are not; ClusterError.
    """
    if step.delete is not None:
        delete(cluster, step.delete)
    elif (change := _changed(cluster, step)) is not None:
        patch(cluster, change.reference, difference(change.before, change.after))
    elif step.apply is not None:
        cluster.apply(step.apply)
    elif step.restart is not None:
        restart(cluster, step.restart)
    elif step.run is not None:
        run(cluster, step.run)
    elif step.end is not None:
        for name in pods_of(cluster, step.end):
            cluster.delete_object("Pod", name, step.end.namespace, "v1", wait=False)
    elif (gone := step.gone) is not None:
        eventually(
            lambda: not cluster.list("Pod", gone.namespace, gone.labels, api_version="v1"),
            timeout=cluster.timeouts.rollout,
            what=f"{gone.namespace} has no pod with {gone.labels} any more",
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
            found = cluster.get(*reference.address)
            if found is not None:
                raise UsageError(
                    f"a mutant may only add what is not there: {reference} is",
                    remedy="use `overlay` to change it",
                )
            yield Delete(reference=reference)
    elif step.restart is not None:
        _found(cluster, step.restart)
        yield Restart(reference=step.restart)
    elif step.gone is not None:
        pods_of(cluster, step.gone)  # what was never there would be gone at once
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
            f"a mutant replaces a text that is not there: {change}, {change.field}",
            seen=repr(text)[:300],
            remedy="correct the mutant, or the mesh that it is meant for",
        )
    value: Any = {last: text.replace(change.old, change.new)}
    for name in reversed(outer):
        value = {name: value}
    metadata = {"name": change.name, "namespace": change.namespace}
    return {"apiVersion": change.api_version, "kind": change.kind, "metadata": metadata, **value}


def _found(cluster: Cluster, reference: Reference) -> Manifest:
    found = cluster.get(*reference.address)
    if found is None:
        raise UsageError(
            f"a mutant is about {reference}, which is not there",
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
