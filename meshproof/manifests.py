"""Manifests: YAML files that a person could `kubectl apply` as they stand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from meshproof.errors import UsageError
from meshproof.secrecy import shown

__all__ = ["Manifest", "load_manifests", "parse_manifests"]

Manifest = dict[str, Any]

_DEEPEST = 100
_MOST_VALUES = 1_000_000
"""More than in any manifest; texts that refer to themselves, or to what refers further, grow beyond all bounds."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """As kubectl reads it: what looks like a date is a text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def parse_manifests(text: str, *, origin: str) -> list[Manifest]:
    """The objects of a YAML text, in order, `List`s flattened. `origin` names the text in errors.

    Raises UsageError naming origin, document and field for YAML that does not parse, objects without kind or name, and
    values that Kubernetes' API cannot take.
    """
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise UsageError(f"{origin} is not valid YAML", seen=str(error)[:500], remedy="correct the file") from error
    except Exception as error:  # PyYAML's constructors raise all kinds: !!int x, !!float '', !!bool x, !!timestamp x
        seen = f"{type(error).__name__}: {error}"[:200]
        raise UsageError(f"{origin} cannot be read", seen=seen, remedy="correct the file") from error
    return [
        manifest
        for number, document in enumerate(documents, start=1)
        if document is not None
        for manifest in _objects(document, f"{origin}, document {number}")
    ]


def load_manifests(paths: Iterable[Path]) -> list[Manifest]:
    """The objects of all files, in order; a folder stands for its *.yaml files in name order.

    Raises UsageError as `parse_manifests` does, and for what cannot be read.
    """
    manifests: list[Manifest] = []
    for path in paths:
        for file in _files(path):
            try:
                text = file.read_bytes().decode()
            except OSError as error:
                raise UsageError(f"cannot read {file}", seen=error.strerror, remedy="correct the path") from error
            except UnicodeDecodeError as error:
                seen = f"byte {error.object[error.start]:#04x} at {error.start}"
                raise UsageError(f"{file} is not UTF-8", seen=seen, remedy="write the file as UTF-8") from error
            manifests.extend(parse_manifests(text, origin=str(file)))
    return manifests


def _files(path: Path) -> list[Path]:
    remedy = "correct the path"
    try:
        path.stat()
        files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    except OSError as error:
        raise UsageError(f"cannot read {str(path)[:300]}", seen=error.strerror, remedy=remedy) from error
    except ValueError as error:
        raise UsageError(f"cannot read {str(path)!r:.300}", seen=error, remedy=remedy) from error
    if not files:
        raise UsageError(f"the folder {path} holds no manifests", seen="no *.yaml", remedy="name another folder")
    return files


def _objects(document: object, where: str) -> Iterator[Manifest]:
    if not isinstance(document, dict) or document.get("kind") != "List":
        yield _checked(document, where)
        return
    items = document.get("items")
    if not isinstance(items, list | None):
        raise UsageError(f"{where} (List), items: this is no list", seen=shown(items), remedy="write a list of objects")
    for number, item in enumerate(items or [], start=1):
        yield _checked(item, f"{where}, item {number}")


def _checked(item: object, where: str) -> Manifest:
    if not isinstance(item, dict):
        raise UsageError(f"{where} is not an object", seen=shown(item), remedy="write a Kubernetes object")
    for field in ("apiVersion", "kind"):
        if not isinstance(item.get(field), str) or not item[field]:
            raise UsageError(f"{where} has no {field}", seen=shown(item.get(field)), remedy=f"add {field}")
    where = f"{where} ({item['kind'][:80]})"
    metadata = item.get("metadata")
    if not isinstance(metadata, dict):
        raise UsageError(f"{where} has no metadata", seen=shown(metadata), remedy="add metadata with a name")
    if not isinstance(metadata.get("name"), str) or not metadata["name"]:
        seen = shown(metadata.get("name"))
        raise UsageError(
            f"{where} has no metadata.name", seen=seen, remedy="name the object, in quotes if it is a number"
        )
    if not isinstance(metadata.get("namespace"), str | None):
        seen = shown(metadata["namespace"])
        raise UsageError(f"{where}: metadata.namespace is no name", seen=seen, remedy="put it in quotes")
    _check_values(item, where)
    return item


def _check_values(item: Manifest, where: str) -> None:
    """Everything in it has to be a value of JSON's."""
    waiting: list[tuple[object, tuple[str, ...]]] = [(item, ())]
    for _ in range(_MOST_VALUES):
        if not waiting:
            return
        value, path = waiting.pop()
        if len(path) > _DEEPEST:
            remedy = "write it out, without an alias that leads back to what holds it"
            raise UsageError(f"{_at(where, path)}: too deep, or it holds itself", seen=shown(path[-1]), remedy=remedy)
        problem = ""
        if isinstance(value, dict):
            if odd := [key for key in value if not isinstance(key, str)]:
                value, problem = odd[0], "a name is no text"
            else:
                waiting.extend((inner, (*path, key)) for key, inner in value.items())
        elif isinstance(value, list):
            waiting.extend((inner, (*path, str(index))) for index, inner in enumerate(value))
        elif isinstance(value, float) and not math.isfinite(value):
            problem = "this is no number"
        elif not isinstance(value, str | int | float | None):
            problem = "there is no such value in JSON"
        if problem:
            raise UsageError(f"{_at(where, path)}: {problem}", seen=shown(value), remedy="put it in quotes")
    raise UsageError(f"{where} grows beyond bounds", seen="aliases of aliases", remedy="write it without aliases")


def _at(where: str, path: tuple[str, ...]) -> str:
    return f"{where}, {shown('.'.join(path))[1:-1]}"
