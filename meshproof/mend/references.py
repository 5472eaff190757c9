"""What a change is about: an object, pods, a command in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Command", "Name", "Pods", "Reference", "Table", "reference_of"]

Name = Annotated[str, Field(min_length=1)]


class Table(BaseModel):
    """Plain data that is not changed, and has no fields but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Reference(Table):
    """An object of the cluster."""

    api_version: Name = Field(alias="apiVersion")
    kind: Name
    name: Name
    namespace: Name | None = None

    @property
    def address(self) -> tuple[str, str, str | None, str]:
        """Kind, name, namespace and API version, in the order of Cluster.get."""
        return self.kind, self.name, self.namespace, self.api_version

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


class Pods(Table):
    """The pods of a namespace that have these labels ("app=goapi,version=v1")."""

    namespace: str
    labels: str


class Command(Pods):
    """A command to run in a container of each of these pods, and the one that undoes it."""

    container: str
    argv: Annotated[list[str], Field(min_length=1)]
    undo: list[str] | None = None


def reference_of(manifest: Mapping[str, Any]) -> Reference:
    """What a manifest is about."""
    metadata = manifest["metadata"]
    return Reference(
        apiVersion=manifest["apiVersion"],
        kind=manifest["kind"],
        name=metadata["name"],
        namespace=metadata.get("namespace"),
    )
