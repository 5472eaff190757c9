"""A small Kubernetes API: it keeps the objects that are applied to it, and serves the kinds that it is told."""

from __future__ import annotations

import copy
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

CLUSTER_SCOPED = {
    *("Namespace", "Node", "StorageClass", "CustomResourceDefinition", "ValidatingWebhookConfiguration"),
    *("ClusterRole", "ClusterRoleBinding"),
}
PLURALS = {"StorageClass": "storageclasses", "IPAddressPool": "ipaddresspools"}
KINDS = {
    "v1": [
        *("Namespace", "Node", "ConfigMap", "Secret", "Service", "Pod", "Event"),
        *("ServiceAccount", "PersistentVolumeClaim"),
    ],
    "rbac.authorization.k8s.io/v1": ["ClusterRole", "ClusterRoleBinding"],
    "datadoghq.com/v2alpha1": ["DatadogAgent"],
    "datadoghq.com/v1alpha1": ["DatadogAgentInternal"],
    "apps/v1": ["Deployment", "DaemonSet"],
    "coordination.k8s.io/v1": ["Lease"],
    "storage.k8s.io/v1": ["StorageClass"],
    "apiextensions.k8s.io/v1": ["CustomResourceDefinition"],
    "admissionregistration.k8s.io/v1": ["ValidatingWebhookConfiguration"],
}


class SmallCluster:
    """`objects` by URL path; `applied` are the paths that were written, in order."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.applied: list[str] = []
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                code, value = cluster.answer(self.command, url.path, parse_qs(url.query), json.loads(body or "null"))
                data = json.dumps(value).encode()
                self.send_response(code)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> SmallCluster:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def has(self, *manifests: dict[str, Any]) -> None:
        """Put objects there, as somebody else would have."""
        for manifest in manifests:
            self.objects[path_of(manifest)] = with_uid(manifest)

    def write_kubeconfig(self, path: Path) -> Path:
        """A kubeconfig that leads here."""
        server = f"http://127.0.0.1:{self._server.server_port}"
        document = {
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **document}))
        return path

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if path == "/version":
            return 200, {"gitVersion": "v1.36.3"}
        version = path.removeprefix("/apis/").removeprefix("/api/")
        if method == "GET" and version in KINDS:
            entries = [{"name": plural(k), "kind": k, "namespaced": k not in CLUSTER_SCOPED} for k in KINDS[version]]
            return 200, {"resources": entries}
        if method == "PATCH":
            known = self.objects.get(path)
            merged = with_uid(merge(known or {}, body))
            if "dryRun" not in query:
                self.objects[path] = merged
                self.applied.append(path)
            return 200, merged
        if path in self.objects:
            return 200, self.objects.pop(path) if method == "DELETE" else self.objects[path]
        kind = path.rpartition("/")[2]
        if any(kind == plural(name) for names in KINDS.values() for name in names):
            return 200, {"items": [item for item in self._under(path) if selected(item, query)]}
        return 404, {"message": f"{path} not found"}

    def _under(self, path: str) -> list[dict[str, Any]]:
        parts = path.split("/")
        prefix, kind = "/".join(parts[:-1]), parts[-1]
        return [item for at, item in self.objects.items() if at.startswith(prefix) and at.split("/")[-2] == kind]


def plural(kind: str) -> str:
    return PLURALS.get(kind, f"{kind.lower()}s")


def path_of(manifest: dict[str, Any]) -> str:
    version, kind, metadata = manifest["apiVersion"], manifest["kind"], manifest["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    middle = "" if kind in CLUSTER_SCOPED else f"/namespaces/{metadata.get('namespace', 'default')}"
    return f"{root}{middle}/{plural(kind)}/{metadata['name']}"


def with_uid(manifest: dict[str, Any]) -> dict[str, Any]:
    copied = copy.deepcopy(manifest)
    copied["metadata"].setdefault("uid", "1")
    return copied


def merge(base: Any, patch: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = {name: merge(base.get(name), value) for name, value in patch.items() if value is not None}
    return {**{name: value for name, value in base.items() if name not in patch}, **merged}


def selected(item: dict[str, Any], query: dict[str, list[str]]) -> bool:
    labels = item["metadata"].get("labels") or {}
    for term in filter(None, ",".join(query.get("labelSelector", [])).split(",")):
        name, _, value = term.partition("=")
        if name not in labels or ("=" in term and labels[name] != value):
            return False
    return True


def workload(kind: str = "Deployment", *, wanted: int = 1, available: int = 1, **metadata: Any) -> dict[str, Any]:
    """A Deployment as the API gives it."""
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "namespace": "shop", "generation": 1, **metadata},
        "spec": {"replicas": wanted, "selector": {"matchLabels": {"app": "web"}}},
        "status": {
            "observedGeneration": 1,
            "replicas": wanted,
            "updatedReplicas": wanted,
            "availableReplicas": available,
            "desiredNumberScheduled": wanted,
            "updatedNumberScheduled": wanted,
            "numberAvailable": available,
        },
    }
