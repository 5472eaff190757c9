"""The Kubernetes API in the words of this project: plain dicts in and out, as the API writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from meshproof.kube.configuration import load_access
from meshproof.kube.discovery import Discovery, Resource
from meshproof.kube.errors import Forbidden, NotFound, UnknownKind
from meshproof.kube.execution import ExecResult, execute
from meshproof.kube.fetching import fetch
from meshproof.kube.forwarding import forward
from meshproof.kube.transport import Transport
from meshproof.manifests import Manifest
from meshproof.timeouts import Timeouts
from meshproof.waiting import eventually

__all__ = ["FIELD_MANAGER", "Cluster"]

Object = dict[str, Any]
Objects = list[Object]  # inside the class, `list` is its method

FIELD_MANAGER = "meshproof"
_FIRST = ("Namespace", "CustomResourceDefinition")
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Cluster:
    """One cluster, as a context of a kubeconfig. Safe to use from many threads at once."""

    def __init__(
        self, kubeconfig: Path | None = None, context: str | None = None, timeouts: Timeouts | None = None
    ) -> None:
        """Without `kubeconfig`: $KUBECONFIG, or else ~/.kube/config. Nothing is asked of the cluster yet.

        Raises UnreadableKubeconfig, UnknownContext.
        """
        self.timeouts = timeouts or Timeouts()
        access = load_access(kubeconfig, context)
        self.context = access.context
        self.server = access.server
        self._transport = Transport(access, self.timeouts.api_request)
        self._discovery = Discovery(self._transport)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections."""
        self._transport.close()

    def server_version(self) -> str:
        """The API server's version, such as "v1.36.3"."""
        return str(self._transport.json("GET", "/version", about="ask for the version")["gitVersion"])

    def apply(
        self,
        manifests: Sequence[Manifest],
        *,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        dry_run: bool = False,
    ) -> Objects:
        """Server-side apply: namespaces, then CRDs, then the rest in the given order. Returns the objects as they are.

        `labels` and `annotations` are added to each object's own. Unknown fields are errors, as with kubectl.
        A kind whose CRD was created a moment ago is waited for (`timeouts.kind_served`).

        Raises Rejected, WebhookUnavailable, Conflict, Forbidden, UnknownKind, ClusterUnreachable.
        """
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        return [
            self._transport.json(
                "PATCH",
                self._path_of(manifest),
                about=f"apply {_named(manifest)}",
                query=query,
                body=_marked(manifest, labels, annotations),
                content_type="application/apply-patch+yaml",
            )
            for manifest in _in_order(manifests)
        ]

    def get(self, kind: str, name: str, namespace: str | None = None, api_version: str | None = None) -> Object | None:
        """One object, or None when it is not there. `namespace` is "default" when left out for a namespaced kind."""
        path = self._discovery.resource(kind, api_version).path(namespace or "default", name)
        try:
            return self._transport.json("GET", path, about=f"get {_words(kind, name, namespace)}")
        except NotFound:
            return None

    def list(
        self,
        kind: str,
        namespace: str | None = None,
        labels: str | None = None,
        api_version: str | None = None,
        fields: str | None = None,
    ) -> Objects:
        """The objects of a kind, of all namespaces if none is given; `labels`, `fields`: selectors, as "app=web"."""
        resource = self._discovery.resource(kind, api_version)
        query = {"labelSelector": labels, "fieldSelector": fields}
        answer = self._transport.json(
            "GET",
            resource.path(namespace),
            about=f"list {resource.plural}" + (f" in namespace {namespace}" if namespace else ""),
            query={name: value for name, value in query.items() if value},
        )
        # Items of a list come without kind and apiVersion; with them, they are objects like all others.
        return [{"apiVersion": resource.api_version, "kind": kind, **item} for item in answer.get("items") or []]

    def patch(
        self,
        kind: str,
        name: str,
        patch: Mapping[str, Any],
        namespace: str | None = None,
        api_version: str | None = None,
    ) -> Object:
        """Merge `patch` into an object (RFC 7386: null removes a field, lists are replaced). Returns the object.

        Raises NotFound, Rejected, Conflict, Forbidden.
        """
        return self._transport.json(
            "PATCH",
            self._discovery.resource(kind, api_version).path(namespace or "default", name),
            about=f"patch {_words(kind, name, namespace)}",
            query={"fieldManager": FIELD_MANAGER},
            body=patch,
            content_type="application/merge-patch+json",
        )

    def delete(self, manifests: Sequence[Manifest], *, wait: bool = True) -> None:
        """Delete objects in the reverse of the order of `apply`; what is gone already is fine.

        Raises StateNotReached when an object is still there after `timeouts.object_gone`.
        """
        gone = []
        for manifest in reversed(_in_order(manifests)):
            try:
                resource = self._discovery.resource(manifest["kind"], manifest["apiVersion"])
            except UnknownKind:
                continue  # its CRD is gone, and it went with it
            metadata = manifest["metadata"]
            gone.append(self._delete(resource, metadata["name"], metadata.get("namespace")))
        if wait:
            for path in filter(None, gone):
                self._wait_until_gone(*path)

    def delete_object(
        self,
        kind: str,
        name: str,
        namespace: str | None = None,
        api_version: str | None = None,
        *,
        wait: bool = True,
    ) -> bool:
        """Delete one object; False when there was none. Raises StateNotReached when it is there after `object_gone`."""
        deleted = self._delete(self._discovery.resource(kind, api_version), name, namespace)
        if deleted is not None and wait:
            self._wait_until_gone(*deleted)
        return deleted is not None

    def execute(
        self,
        namespace: str,
        pod: str,
        argv: Sequence[str],
        *,
        container: str | None = None,
        stdin: bytes | None = None,
        timeout: float | None = None,
    ) -> ExecResult:
        """Run a command in a container (the pod's default one when left out), at most `timeout` seconds.

        An exit code other than 0 is a result, not an error. Output is bytes, unchanged.

        Raises ExecFailed when the command did not run, ExecTimeout, Forbidden, ClusterUnreachable.
        """
        limit = timeout if timeout is not None else self.timeouts.exec
        return execute(self._transport, namespace, pod, argv, container=container, stdin=stdin, timeout=limit)

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str | None = None,
        *,
        previous: bool = False,
        since: datetime | None = None,
        since_seconds: int | None = None,
        tail: int | None = None,
    ) -> str:
        """A container's log; of its `previous` life if asked. `since` (aware) counts by whole seconds.

        Raises NotFound, Rejected (no such container, or it has not started), Forbidden.
        """
        query: dict[str, str | None] = {
            "container": container,
            "previous": "true" if previous else None,
            "sinceTime": f"{since.astimezone().isoformat(timespec='seconds')}" if since is not None else None,
            "sinceSeconds": str(since_seconds) if since_seconds is not None else None,
            "tailLines": str(tail) if tail is not None else None,
        }
        data = self._transport.request(
            "GET",
            f"/api/v1/namespaces/{namespace}/pods/{pod}/log",
            about=f"read the log of {container or 'pod'} in {namespace}/{pod}",
            query={name: value for name, value in query.items() if value is not None},
            accept="*/*",
        )
        return data.decode(errors="replace")

    def events(self, namespace: str | None = None) -> Objects:
        """The events of a namespace, or of all, oldest first."""
        return sorted(self.list("Event", namespace, api_version="v1"), key=_event_time)

    def node_stats(self, node: str) -> Object:
        """What a node's kubelet measures: "node" and "pods", as its summary API gives them.

        Raises NotFound, Forbidden, another ApiError when the kubelet cannot be asked.
        """
        return self._transport.json(
            "GET", f"/api/v1/nodes/{node}/proxy/stats/summary", about=f"ask the kubelet of {node} for its statistics"
        )

    def can_i(
        self, verb: str, resource: str, group: str = "", namespace: str | None = None, subresource: str = ""
    ) -> bool:
        """Whether the credentials allow `verb` ("get") on `resource` ("pods"), in all namespaces if none is given."""
        wanted = {"verb": verb, "resource": resource, "group": group, "subresource": subresource}
        if namespace is not None:
            wanted["namespace"] = namespace
        answer = self._transport.json(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            about=f"ask whether we may {verb} {resource}",
            body={
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": wanted},
            },
        )
        return bool(answer["status"].get("allowed"))

    def fetch(
        self, namespace: str, pod: str, port: int, target: str, *, timeout: float | None = None
    ) -> tuple[int, bytes]:
        """Status and body that a pod's own HTTP server gives for `GET target`, also one on its loopback interface only.

        Raises ClusterUnreachable when nobody answers on that port within `timeout` seconds, NotFound, Forbidden.
        """
        limit = timeout if timeout is not None else self.timeouts.exec
        return fetch(self._transport, namespace, pod, port, target, timeout=limit)

    @contextmanager
    def forward(self, namespace: str, pod: str, port: int) -> Iterator[str]:
        """A local address, "127.0.0.1:PORT", that leads to a pod's port for as long as the block runs."""
        with forward(self._transport, namespace, pod, port, timeout=self.timeouts.api_request) as address:
            yield address

    def _path_of(self, manifest: Manifest) -> str:
        metadata = manifest["metadata"]
        return self._served(manifest).path(metadata.get("namespace") or "default", metadata["name"])

    def _served(self, manifest: Manifest) -> Resource:
        kind, api_version = manifest["kind"], manifest["apiVersion"]
        try:
            return self._discovery.resource(kind, api_version)
        except UnknownKind:
            if not self._has_definition(api_version.partition("/")[0]):
                raise
        return eventually(
            lambda: self._discovery.resource(kind, api_version),
            timeout=self.timeouts.kind_served,
            what=f"{kind} of {api_version} is served",
        )

    def _has_definition(self, group: str) -> bool:
        definitions = Resource(
            "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", False
        )
        try:
            answer = self._transport.json("GET", definitions.path(), about="list the CRDs", accept=_NAMES_ONLY)
        except Forbidden:
            return False
        return any(item["metadata"]["name"].endswith(f".{group}") for item in answer.get("items") or [])

    def _delete(self, resource: Resource, name: str, namespace: str | None) -> tuple[str, str, str] | None:
        path = resource.path(namespace or "default", name)
        words = _words(resource.kind, name, namespace)
        try:
            found = self._transport.json("GET", path, about=f"delete {words}")
            uid = found["metadata"]["uid"]
            body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
            self._transport.request("DELETE", path, about=f"delete {words}", body=body)
        except NotFound:
            return None
        return path, uid, words

    def _wait_until_gone(self, path: str, uid: str, words: str) -> None:
        def gone() -> bool:
            try:
                found = self._transport.json("GET", path, about=f"wait for the end of {words}")
            except NotFound:
                return True
            finalizers = found["metadata"].get("finalizers") or found.get("spec", {}).get("finalizers")
            assert found["metadata"]["uid"] != uid, f"still there, finalizers: {finalizers or 'none'}"
            return True

        eventually(gone, timeout=self.timeouts.object_gone, what=f"{words} is gone")


def _in_order(manifests: Sequence[Manifest]) -> list[Manifest]:
    return sorted(manifests, key=lambda m: _FIRST.index(m["kind"]) if m["kind"] in _FIRST else len(_FIRST))


def _marked(manifest: Manifest, labels: Mapping[str, str] | None, annotations: Mapping[str, str] | None) -> Object:
    metadata = {name: value for name, value in manifest["metadata"].items() if name != "managedFields"}
    if labels:
        metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    if annotations:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
    return {**manifest, "metadata": metadata}


def _named(manifest: Manifest) -> str:
    return _words(manifest["kind"], manifest["metadata"]["name"], manifest["metadata"].get("namespace"))


def _words(kind: str, name: str, namespace: str | None) -> str:
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def _event_time(event: Object) -> str:
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
        or ""
    )
