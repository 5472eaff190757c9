"""Manifests: YAML files that a person could `kubectl apply` as they stand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from meshproof.errors import UsageError

__all__ = ["Manifest", "load_manifests", "parse_manifests"]

Manifest = dict[str, Any]


def parse_manifests(text: str, *, origin: str) -> list[Manifest]:
    """The objects of a YAML text, in order, `List`s flattened. `origin` names the text in errors.

    Raises UsageError naming origin, document and field for YAML that does not parse and objects without kind or name.
    """
    try:
        documents = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError as error:
        raise UsageError(f"{origin} is not valid YAML", seen=error, remedy="correct the file") from error
    manifests: list[Manifest] = []
    for number, document in enumerate(documents, start=1):
        if document is None:
            continue
        where = f"{origin}, document {number}"
        if isinstance(document, dict) and document.get("kind") == "List":
            items = document.get("items") or []
        else:
            items = [document]
        manifests.extend(_checked(item, where) for item in items)
    return manifests


def load_manifests(paths: Iterable[Path]) -> list[Manifest]:
    """The objects of all files, in order; a folder stands for its *.yaml files in name order."""
    manifests: list[Manifest] = []
    for path in paths:
        files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        for file in files:
            try:
                text = file.read_text()
            except OSError as error:
                raise UsageError(f"cannot read {file}", seen=error.strerror, remedy="correct the path") from error
            manifests.extend(parse_manifests(text, origin=str(file)))
    return manifests


def _checked(item: object, where: str) -> Manifest:
    if not isinstance(item, dict):
        raise UsageError(f"{where} is not an object", seen=repr(item)[:80], remedy="write a Kubernetes object")
    for field in ("apiVersion", "kind"):
        if not isinstance(item.get(field), str):
            raise UsageError(f"{where} has no {field}", seen=repr(item.get(field)), remedy=f"add {field}")
    if not isinstance(item.get("metadata"), dict) or not item["metadata"].get("name"):
        raise UsageError(f"{where} ({item['kind']}) has no metadata.name", remedy="name the object")
    return item
