"""Puts images into the containerd of a node image, so that nothing is loaded once the cluster stands."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from docker.errors import APIError

from meshproof.bed.images.cache import Cache
from meshproof.bed.images.container import KEY_LABEL, NAME_LABEL, EngineImages
from meshproof.errors import MeshproofError

__all__ = ["DIGESTS_LABEL", "building", "clear_leftovers", "import_script", "preload"]

DIGESTS_LABEL = "meshproof.digests"
_BUILDING = "meshproof_build_"
"""What the names of build containers begin with. No label: what is committed from them would inherit it, and so would
every node. No node is called so: names of clusters have no underscores."""


def building(image: str) -> str:
    """The name of a container in which an image is built."""
    return f"{_BUILDING}{image}_{uuid4().hex[:8]}"


def clear_leftovers(engine: EngineImages) -> None:
    """Remove the build containers of a run that was killed."""
    for container in engine.client.containers.list(all=True, filters={"name": _BUILDING}):
        if str(container.name).startswith(_BUILDING):
            with suppress(APIError):
                container.remove(force=True, v=True)


def preload(
    engine: EngineImages,
    cache: Cache,
    image: str,
    key: str,
    *,
    base: str,
    contents: Mapping[str, str],
    timeout: float,
    note: Callable[[str], None],
) -> str:
    """The node image `base` with images put into its containerd: `contents` maps reference to name in the engine."""
    with cache.scratch("preload") as folder:
        note(f"saving {len(contents)} images")
        _save(engine, list(dict.fromkeys(contents.values())), folder / "images.tar")
        (folder / "import.sh").write_text(import_script(contents))
        note(f"importing {len(contents)} images")
        inspected = engine.client.images.get(base).attrs["Config"]
        container = engine.client.containers.create(
            base,
            name=building(image),
            entrypoint=["/bin/sh", "/import/import.sh"],
            command=[],
            privileged=True,
            network_mode="none",
            volumes={str(folder): {"bind": "/import", "mode": "ro"}},
        )
        try:
            container.start()
            code = container.wait(timeout=timeout)["StatusCode"]
            if code != 0:
                last = container.logs(tail=15).decode(errors="replace").strip()
                raise MeshproofError("images could not be put into the node image", seen=last)
            note("committing")
            digests = {reference: engine.identity(name) for reference, name in contents.items()}
            labels = {KEY_LABEL: key, NAME_LABEL: image, DIGESTS_LABEL: json.dumps(digests, separators=(",", ":"))}
            changes = [f"ENTRYPOINT {json.dumps(inspected['Entrypoint'])}"]
            changes += [f"LABEL {name}={json.dumps(value)}" for name, value in labels.items()]
            name = engine.name(image, key)
            repository, _, tag = name.rpartition(":")
            container.commit(repository=repository, tag=tag, changes=changes)
        finally:
            with suppress(APIError):
                container.remove(force=True, v=True)
    return name


def _save(engine: EngineImages, names: Sequence[str], target: Path) -> None:
    api: Any = engine.client.api
    # docker-py saves one image at a time; one tar of all holds the layers that they share only once.
    response = api.get(f"{api.base_url}/v{api.api_version}/images/get", params={"names": list(names)}, stream=True)
    api._raise_for_status(response)
    with target.open("wb") as file:
        for chunk in response.iter_content(1 << 20):
            file.write(chunk)


def import_script(contents: Mapping[str, str]) -> str:
    lines = [
        "set -e",
        "containerd > /tmp/containerd.log 2>&1 &",
        "pid=$!",
        "for try in $(seq 100); do ctr version > /dev/null 2>&1 && break; sleep 0.1; done",
        "ctr version > /dev/null || { cat /tmp/containerd.log; exit 1; }",
        "ctr --namespace k8s.io images import --all-platforms --no-unpack --digests /import/images.tar",
    ]
    lines += [
        f"ctr --namespace k8s.io images tag --force {shlex.quote(name)} {shlex.quote(reference)}"
        for reference, name in contents.items()
        if reference != name
    ]
    lines += [
        f"ctr --namespace k8s.io images rm {shlex.quote(name)}"
        for name in dict.fromkeys(contents.values())
        if name not in contents
    ]
    lines += ["kill $pid", "wait $pid || true", "rm -rf /tmp/containerd.log /run/containerd", ""]
    return "\n".join(lines)
