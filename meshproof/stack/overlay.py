"""Overlays: partial objects laid over the manifest of the same kind and name."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from meshproof.errors import UsageError
from meshproof.manifests import Manifest

__all__ = ["lay_over"]


def lay_over(manifests: Sequence[Manifest], overlays: Sequence[Manifest]) -> list[Manifest]:
    """The manifests with the overlays merged in; neither is changed.

    As in a strategic merge patch: fields are merged, null removes one, lists of named things (containers, ports,
    environment) are merged by name, `$patch: delete` removes one of them, other lists are replaced.

    Raises UsageError for an overlay that has nothing to lie over.
    """
    merged = {_identity(manifest): manifest for manifest in manifests}
    for overlay in overlays:
        identity = _identity(overlay)
        if identity not in merged:
            raise UsageError(
                f"an overlay has nothing to lie over: there is no {overlay['kind']} {overlay['metadata']['name']}",
                seen=", ".join(sorted(f"{kind} {name}" for kind, _, name in merged)),
                remedy="correct the overlay's kind, name or namespace",
            )
        merged[identity] = _merge(merged[identity], overlay)
    return [merged[_identity(manifest)] for manifest in manifests]


def _identity(manifest: Manifest) -> tuple[str, str, str]:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace") or "", metadata["name"]


def _merge(base: Any, patch: Any) -> Any:
    if isinstance(base, dict) and isinstance(patch, dict):
        result = {**base}
        for key, value in patch.items():
            if value is None:
                result.pop(key, None)
            else:
                result[key] = _merge(base.get(key), value)
        return result
    if _named(base) and _named(patch):
        changes = {item["name"]: item for item in patch}
        gone = {name for name, item in changes.items() if item.get("$patch") == "delete"}
        known = [_merge(item, changes.pop(item["name"], {})) for item in base if item["name"] not in gone]
        return known + [_merge({}, item) for name, item in changes.items() if name not in gone]
    if isinstance(patch, dict):
        return _merge({}, patch)
    return copy.deepcopy(patch)


def _named(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in value)
    )
