"""Which kinds the API server serves and at which paths, asked lazily and remembered."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Any

from meshproof.errors import UsageError
from meshproof.kube.errors import NotFound, UnknownKind
from meshproof.kube.transport import Transport

__all__ = ["Discovery", "Resource"]

# One answer for all groups; GA since Kubernetes 1.30.
_ALL_GROUPS = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclass(frozen=True)
class Resource:
    """A served kind."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The URL path of one object, or of the collection without a `name`."""
        path = _group_path(self.api_version)
        if self.namespaced and namespace is not None:
            path += f"/namespaces/{namespace}"
        return f"{path}/{self.plural}" + (f"/{name}" if name is not None else "")


class Discovery:
    """Finds a kind's resource. One request per API version, at first need."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._served: dict[str, dict[str, Resource]] = {}
        self._found: dict[str, Resource] = {}
        self._lock = Lock()

    def resource(self, kind: str, api_version: str | None = None) -> Resource:
        """The resource of a kind. Without `api_version`: the core API first, then the one group that has the kind.

        Raises UnknownKind when it is not served, UsageError when several groups have it.
        """
        if api_version is not None:
            found = self._find(api_version, kind)
            if found is None:
                raise UnknownKind(
                    f"the cluster serves no {kind} in {api_version}",
                    remedy="correct kind and apiVersion, or install the CRD first",
                )
            return found
        found = self._found.get(kind) or self._find("v1", kind, fresh=False) or self._search(kind)
        self._found[kind] = found
        return found

    def _find(self, api_version: str, kind: str, *, fresh: bool = True) -> Resource | None:
        with self._lock:
            known = self._served.get(api_version)
        if known is None or (fresh and kind not in known):
            known = self._ask(api_version)
            with self._lock:
                self._served[api_version] = known
        return known.get(kind)

    def _ask(self, api_version: str) -> dict[str, Resource]:
        try:
            listed = self._transport.json("GET", _group_path(api_version), about=f"list the kinds of {api_version}")
        except NotFound:
            return {}
        return {
            entry["kind"]: Resource(api_version, entry["kind"], entry["name"], bool(entry["namespaced"]))
            for entry in listed.get("resources") or []
            if "/" not in entry["name"]
        }

    def _search(self, kind: str) -> Resource:
        groups = self._transport.json("GET", "/apis", about=f"find the API group of {kind}", accept=_ALL_GROUPS)
        found = [match for group in groups.get("items") or [] if (match := _preferred(group, kind)) is not None]
        if not found:
            raise UnknownKind(f"the cluster serves no {kind}", remedy="correct the kind, or install the CRD first")
        if len(found) > 1:
            raise UsageError(
                f"{kind} is served by several API groups",
                seen=", ".join(resource.api_version for resource in found),
                remedy="say which one with api_version",
            )
        return found[0]


def _preferred(group: dict[str, Any], kind: str) -> Resource | None:
    for version in group.get("versions") or []:
        api_version = f"{group['metadata']['name']}/{version['version']}"
        for entry in version.get("resources") or []:
            if entry.get("responseKind", {}).get("kind") == kind:
                return Resource(api_version, kind, entry["resource"], entry.get("scope") == "Namespaced")
    return None


def _group_path(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
