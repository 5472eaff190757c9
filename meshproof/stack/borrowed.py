"""Borrowed is sacred: what a given cluster already has is neither changed nor deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meshproof.errors import UsageError
from meshproof.manifests import Manifest
from meshproof.stack.component import Component
from meshproof.stack.context import StackContext, run_of

__all__ = ["refuse_conflicts"]

_SHOWN = 6


def refuse_conflicts(context: StackContext, components: Iterable[Component]) -> None:
    """Raise UsageError if any object that would be installed is there already without a run's label.

    Looks only; nothing is applied.
    """
    conflicts: dict[str, None] = {}  # several components may name one object
    missing_namespaces: set[str] = set()
    for manifest in _namespaces_first([m for component in components for m in component.objects(context)]):
        metadata = manifest["metadata"]
        namespace = metadata.get("namespace")
        if namespace in missing_namespaces:
            continue
        found = context.find(manifest)
        if found is not None and run_of(found) is None:
            where = f"{namespace}/" if namespace else ""
            conflicts[f"{manifest['kind']} {where}{metadata['name']}"] = None
        elif found is None and manifest["kind"] == "Namespace":
            missing_namespaces.add(metadata["name"])
    if conflicts:
        more = len(conflicts) - _SHOWN
        raise UsageError(
            "the borrowed cluster already has what meshproof would install, and meshproof changes nothing of others",
            seen=", ".join(list(conflicts)[:_SHOWN]) + (f" and {more} more" if more > 0 else ""),
            remedy="remove these, give another cluster with --kubeconfig or --context, "
            "or leave both out to have a cluster made",
        )


def _namespaces_first(manifests: Sequence[Manifest]) -> list[Manifest]:
    return sorted(manifests, key=lambda manifest: manifest["kind"] != "Namespace")
