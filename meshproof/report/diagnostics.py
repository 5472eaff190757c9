"""What one wants to see when a check fails, gathered at once into a folder: best effort, never an error of its own.

No Secret is asked for. Of what is written, known secrets are left out, and so is what the cluster's objects hold under
a secret's name: environment, arguments, annotations that repeat a whole manifest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from meshproof.errors import MeshproofError
from meshproof.kube import Cluster
from meshproof.probe import Proxy, proxy_sync
from meshproof.probe.inventory import Pod, pods
from meshproof.report.reproduce import without_secrets
from meshproof.secrecy import HIDDEN, hidden, hidden_in, is_secret_name

__all__ = ["LIMIT", "collect"]

LIMIT = 5
"""Folders per run: the first failures tell most, and each costs some seconds."""

_LOG_LINES = 2000
_METALLB_KINDS = ("IPAddressPool", "L2Advertisement", "ServiceL2Status")
_ISTIO_KINDS = ("Gateway", "VirtualService", "DestinationRule", "PeerAuthentication", "Sidecar", "Telemetry")

_COPY = "kubectl.kubernetes.io/last-applied-configuration"
_WORDS = ("args", "command")
_WHERE = ("name", "namespace", "path", "file", "type", "mode", "policy")
"""Ends of names like secretName, which tell where a secret is."""

Task = tuple[str, Callable[[], str]]


def collect(cluster: Cluster, namespaces: Sequence[str], folder: Path, extra: dict[str, Any] | None = None) -> Path:
    """Write the state of the namespaces into the folder: events, pods, logs (with previous), each proxy's configuration
    and clusters, what istiod thinks of its proxies, and the resources of MetalLB and Istio. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(8, thread_name_prefix="diagnostics") as pool:
        for name, text in pool.map(_carried_out, _tasks(cluster, namespaces)):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(hidden(text))
    for name, value in (extra or {}).items():
        (folder / f"{name}.json").write_text(json.dumps(hidden_in(value), indent=1, default=str))
    return folder


def _carried_out(task: Task) -> tuple[str, str]:
    name, look = task
    try:
        return name, look()
    except MeshproofError as error:
        return name, f"could not be had: {error}\n"


def _tasks(cluster: Cluster, namespaces: Sequence[str]) -> Iterator[Task]:
    yield "proxies.txt", lambda: "\n".join(str(state) for state in proxy_sync(cluster))
    for kind in _METALLB_KINDS:
        yield f"metallb/{kind}.yaml", lambda kind=kind: _dump(cluster.list(kind))  # type: ignore[misc]
    for kind in _ISTIO_KINDS:
        version = "networking.istio.io/v1" if kind == "Gateway" else None
        yield f"istio/{kind}.yaml", lambda k=kind, v=version: _dump(cluster.list(k, api_version=v))  # type: ignore[misc]
    for namespace in namespaces:
        yield f"{namespace}/events.txt", lambda ns=namespace: _events(cluster, ns)  # type: ignore[misc]
        yield f"{namespace}/objects.yaml", lambda ns=namespace: _objects(cluster, ns)  # type: ignore[misc]
        try:
            found = pods(cluster, namespace)
        except MeshproofError:
            continue
        yield f"{namespace}/pods.txt", lambda these=found: _table(these)  # type: ignore[misc]
        for pod in found:
            yield from _pod_tasks(cluster, pod)


def _pod_tasks(cluster: Cluster, pod: Pod) -> Iterator[Task]:
    base = f"{pod.namespace}/{pod.name}"
    for container in pod.containers:
        for previous in (False, True) if pod.restarts else (False,):
            name = f"{base}/{container}{'.previous' if previous else ''}.log"
            yield (
                name,
                lambda c=container, p=previous: cluster.logs(  # type: ignore[misc]
                    pod.namespace, pod.name, c, previous=p, tail=_LOG_LINES
                ),
            )
    if pod.has_proxy and pod.phase == "Running":
        proxy = Proxy(cluster, pod.namespace, pod.name)
        yield f"{base}/config_dump.json", lambda: json.dumps(_told(proxy.config_dump()), indent=1)
        yield f"{base}/clusters.txt", lambda: proxy.ask("clusters")


def _objects(cluster: Cluster, namespace: str) -> str:
    kinds = ("Service", "Deployment", "DaemonSet", "PersistentVolumeClaim")
    return "---\n".join(_dump(cluster.list(kind, namespace)) for kind in kinds)


def _dump(objects: Sequence[dict[str, Any]]) -> str:
    for item in objects:
        item.get("metadata", {}).pop("managedFields", None)
    return str(yaml.safe_dump_all([_told(item) for item in objects], sort_keys=False)) if objects else "# none\n"


def _told(value: Any) -> Any:
    """The same without what stands under a secret's name, and without copies of the whole in annotations."""
    if isinstance(value, list):
        return [_told(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    told = {name: _field(name, item) for name, item in value.items() if name != _COPY}
    if isinstance(value.get("value"), str) and is_secret_name(str(value.get("name"))):
        told["value"] = HIDDEN
    if value.get("kind") == "Secret":
        told |= {name: HIDDEN for name in ("data", "stringData") if name in value}
    return told


def _field(name: str, value: Any) -> Any:
    if name in _WORDS and isinstance(value, list):
        return without_secrets([str(word) for word in value])
    word = name.lower()  # `key` alone is a label's, or that of an entry
    if isinstance(value, str) and is_secret_name(name) and word != "key" and not word.endswith(_WHERE):
        return HIDDEN
    return _told(value)


def _events(cluster: Cluster, namespace: str) -> str:
    lines = [
        f"{event.get('lastTimestamp') or event.get('eventTime')} {event.get('type')} {event.get('reason')} "
        f"{event['involvedObject'].get('kind')}/{event['involvedObject'].get('name')}: {event.get('message')}"
        for event in cluster.events(namespace)
    ]
    return "\n".join(lines) + "\n"


def _table(found: Sequence[Pod]) -> str:
    lines = [
        f"{pod.name}  {pod.ready}/{len(pod.containers)}  {pod.phase}  {pod.restarts} restarts  {pod.ip}  {pod.node}"
        for pod in found
    ]
    return "\n".join(lines) + "\n"
