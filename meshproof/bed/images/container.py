"""Images in the engine's store: built from a context that is streamed, found again by their key."""

from __future__ import annotations

import io
import os
import tarfile
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound

from meshproof.errors import MeshproofError
from meshproof.moments import seconds

__all__ = ["Context", "EngineImages"]

KEY_LABEL = "meshproof.key"
NAME_LABEL = "meshproof.image"
_PREFIX = "meshproof.local"


@dataclass
class Context:
    """What a Dockerfile is built from: files by their path in the context, each given as text or as a file on disk."""

    dockerfile: str
    files: dict[str, str | Path] = field(default_factory=dict)
    executable: set[str] = field(default_factory=set)

    def add(self, path: str, source: str | Path, *, executable: bool = False) -> None:
        """Add a file, or a folder with all that is in it, symbolic links as they are."""
        path = path.strip("/")
        if isinstance(source, Path) and source.is_dir() and not source.is_symlink():
            for child in sorted(source.iterdir()):
                self.add(f"{path}/{child.name}", child)
            return
        self.files[path] = source
        if executable or (isinstance(source, Path) and not source.is_symlink() and source.stat().st_mode & 0o100):
            self.executable.add(path)

    def write(self, stream: Any) -> None:
        """Write the context as a tar; owners, times and modes do not depend on the machine."""
        with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            entries: dict[str, str | Path] = {"Dockerfile": self.dockerfile, **self.files}
            for name, source in sorted(entries.items()):
                entry = tarfile.TarInfo(name)
                entry.mode = 0o755 if name in self.executable else 0o644
                if isinstance(source, str):
                    content = source.encode()
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))
                elif source.is_symlink():
                    entry.type, entry.linkname = tarfile.SYMTYPE, str(source.readlink())
                    tar.addfile(entry)
                else:
                    entry.size = source.stat().st_size
                    with source.open("rb") as file:
                        tar.addfile(entry, file)


class EngineImages:
    """The engine's images that meshproof made. Their names are its own, so that no one else's tag is moved."""

    def __init__(self, client: docker.DockerClient, *, timeout: float) -> None:
        self.client = client
        self._timeout = timeout

    def name(self, image: str, key: str) -> str:
        """What an image of that key is called in the engine."""
        return f"{_PREFIX}/{image}:{key}"

    def find(self, image: str, key: str) -> str | None:
        """The image's name in the engine, when it is there with this key."""
        name = self.name(image, key)
        try:
            found = self.client.images.get(name)
        except ImageNotFound:
            return None
        return name if (found.labels or {}).get(KEY_LABEL) == key else None

    def has(self, reference: str) -> bool:
        """Whether the engine has an image of that name, whoever made it."""
        try:
            self.client.images.get(reference)
        except ImageNotFound:
            return False
        return True

    def identity(self, name: str) -> str:
        """The digest that stands for the image's content: of the registry's manifest, or else of its configuration."""
        found = self.client.images.get(name)
        digests = found.attrs.get("RepoDigests") or []
        return str(digests[0].partition("@")[2] if digests else found.id)

    def build(self, image: str, key: str, context: Context, note: Callable[[str], None]) -> str:
        """Build the context, label it with the key, and return the image's name."""
        name = self.name(image, key)
        reader, writer = os.pipe()
        failed: list[Exception] = []

        def feed() -> None:
            try:
                with os.fdopen(writer, "wb") as stream:
                    context.write(stream)
            except BrokenPipeError:
                pass  # the engine gave up; it says why
            except Exception as error:
                failed.append(error)

        with os.fdopen(reader, "rb") as source:
            feeder = Thread(target=feed, daemon=True)
            feeder.start()
            answer = self.client.api.build(
                fileobj=source,
                custom_context=True,
                tag=name,
                labels={KEY_LABEL: key, NAME_LABEL: image},
                rm=True,
                forcerm=True,
                decode=True,
                timeout=int(self._timeout),
            )
            try:
                self._follow(image, answer, note)
            except MeshproofError:
                if not failed:
                    raise
            feeder.join()
        if failed:  # half a context may have made an image all the same
            with suppress(APIError):
                self.client.images.remove(name)
            raise MeshproofError(
                f"image {image}: its context cannot be read", seen=failed[0], remedy="see whether the cache is complete"
            )
        return name

    def build_folder(self, image: str, key: str, folder: Path, dockerfile: str, note: Callable[[str], None]) -> str:
        """Build a Dockerfile as it stands; `folder` is what it copies from, `dockerfile` its path in there."""
        name = self.name(image, key)
        answer = self.client.api.build(
            path=str(folder),
            dockerfile=dockerfile,
            tag=name,
            labels={KEY_LABEL: key, NAME_LABEL: image},
            rm=True,
            forcerm=True,
            decode=True,
            timeout=int(self._timeout),
        )
        self._follow(image, answer, note)
        return name

    def pull(self, reference: str, note: Callable[[str], None]) -> str:
        """Pull a reference; returns it. Raises MeshproofError when the registry does not have it."""
        repository, _, tag = reference.rpartition(":")
        try:
            for message in self.client.api.pull(repository, tag=tag, stream=True, decode=True):
                if "error" in message:
                    raise MeshproofError(f"{reference} cannot be pulled", seen=message["error"])
                note(f"{message.get('id', '')} {message.get('status', '')}".strip())
        except APIError as error:
            raise MeshproofError(
                f"{reference} cannot be pulled",
                seen=error.explanation,
                remedy="see whether the registry can be reached, or use --images source",
            ) from error
        return reference

    def drop_unused(self, keep: Collection[str], *, older_than: float) -> None:
        """Remove the images that meshproof made, that are not in `keep`, that no container uses, and that are old.

        The age, in seconds, leaves another run the time to use what it has just had built.
        """
        for image in self.client.images.list(filters={"label": NAME_LABEL}):
            age = time.time() - seconds(str(image.attrs["Created"]))
            if age < older_than or any(tag in keep for tag in image.tags):
                continue
            for name in image.tags or [str(image.id)]:
                with suppress(APIError):  # in use
                    self.client.images.remove(name)

    def _follow(self, image: str, messages: Iterable[Mapping[str, Any]], note: Callable[[str], None]) -> None:
        said: list[str] = []
        for message in messages:
            if line := str(message.get("stream", "")).strip():
                said.append(line)
                note(line.splitlines()[0][:80])
            if "error" in message:
                last = "\n        ".join([*said[-10:], str(message["error"]).strip()])
                raise MeshproofError(f"image {image} does not build", seen=last, remedy="correct what it is made of")
