"""Pods that write to their log what they are told, byte by byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from threading import Event, Thread
from typing import Any

from meshproof.errors import InvalidMeasurement
from meshproof.kube import Cluster, ClusterError, Executor
from meshproof.labels import RUN_LABEL
from meshproof.manifests import Manifest
from meshproof.observability.sentinels import Stream
from meshproof.waiting import StateNotReached, eventually

__all__ = [
    "CONTAINER",
    "IMAGE",
    "NODE_LOGS",
    "Steady",
    "Writer",
    "all_at_once",
    "standing",
    "writer_pod",
    "writing",
]

IMAGE = "docker.io/library/debian:bookworm-slim"
CONTAINER = "writer"
NODE_LOGS = "/var/log/pods"
"""Where a node keeps its containers' logs, and where a writer that may look at them finds them."""

# Process 1 does nothing but end when told to; its standard output is the container's log.
_IDLE = "trap 'exit 0' TERM INT; sleep infinity & wait"
_OUTPUT = "/proc/1/fd/1"
_PACED = f'while IFS= read -r line; do printf "%s\\n" "$line"; sleep "$0"; done > {_OUTPUT}'
_RATE = 20


Temporary = Callable[[Sequence[Manifest]], AbstractContextManager[object]]


def writer_pod(
    namespace: str,
    name: str,
    *,
    image: str = IMAGE,
    node: str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    sees_node_logs: bool = False,
) -> Manifest:
    """A pod for a Writer; its image needs sh. On a certain node if told to, past the scheduler."""
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", _IDLE],
        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}},
    }
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "containers": [container],
    }
    if node is not None:
        spec["nodeName"] = node
    if sees_node_logs:
        container["volumeMounts"] = [{"name": "node-logs", "mountPath": NODE_LOGS, "readOnly": True}]
        spec["volumes"] = [{"name": "node-logs", "hostPath": {"path": NODE_LOGS}}]
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": {"app": name, "sidecar.istio.io/inject": "false", **(labels or {})},
        "annotations": dict(annotations or {}),
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


class Writer:
    """One such pod. What is written appears in its container's log as if the container's own program had written it."""

    def __init__(self, cluster: Executor, namespace: str, pod: str, container: str = CONTAINER) -> None:
        self._cluster = cluster
        self.namespace = namespace
        self.pod = pod
        self.container = container

    @property
    def name(self) -> str:
        """NAMESPACE/POD."""
        return f"{self.namespace}/{self.pod}"

    def write(self, lines: Sequence[str]) -> None:
        """Write the lines, each with its end; they are with the container's runtime on return.

        Raises InvalidMeasurement when they could not be written.
        """
        self._run(["sh", "-c", f"cat > {_OUTPUT}"], lines)

    def write_slowly(self, lines: Sequence[str], per_second: int = _RATE) -> None:
        """The same, with a pause after each line."""
        self._run(["sh", "-c", _PACED, str(1 / per_second)], lines)

    def _run(self, argv: Sequence[str], lines: Sequence[str]) -> None:
        data = "".join(f"{line}\n" for line in lines).encode()
        try:
            result = self._cluster.execute(self.namespace, self.pod, argv, container=self.container, stdin=data)
        except ClusterError as error:
            raise InvalidMeasurement(f"{self.name} cannot write: {error.problem}", seen=error.seen) from error
        if result.code != 0:
            raise InvalidMeasurement(f"{self.name} cannot write", seen=result.stderr.decode(errors="replace").strip())


@contextmanager
def standing(
    cluster: Cluster, temporary: Temporary, namespaces: Sequence[str], pods: Sequence[Manifest]
) -> Iterator[list[Writer]]:
    """Writers for the length of the block, in the order of their pods, in new namespaces and in some that are there.

    `temporary` makes objects and removes them again. Raises InvalidMeasurement when a namespace that should be new is
    somebody's own, or a pod does not run.
    """
    for name in namespaces:
        found = cluster.get("Namespace", name)
        if found is not None and RUN_LABEL not in found["metadata"].get("labels", {}):
            raise InvalidMeasurement(f"namespace {name} is somebody's own: nothing may be written there")
    made: list[Manifest] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in namespaces
    ]
    writers = [Writer(cluster, pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in pods]
    _wait(lambda: not any(_is_leaving(cluster, name) for name in namespaces), cluster, "old namespaces are gone")
    with temporary(made):
        # No pod is admitted before its namespace has this account.
        _wait(
            lambda: all(cluster.get("ServiceAccount", "default", name) for name in namespaces),
            cluster,
            "the new namespaces have their service accounts",
        )
        with temporary(pods):
            _wait(lambda: _all_run(cluster, writers), cluster, "the pods that write run")
            yield writers


def _is_leaving(cluster: Cluster, namespace: str) -> bool:
    found = cluster.get("Namespace", namespace)
    return found is not None and "deletionTimestamp" in found["metadata"]


def _wait(check: Callable[[], bool], cluster: Cluster, what: str) -> None:
    try:
        eventually(check, timeout=cluster.timeouts.rollout, what=what)
    except StateNotReached as error:
        raise InvalidMeasurement(error.problem, seen=error.seen) from error


def _all_run(cluster: Cluster, writers: Sequence[Writer]) -> bool:
    namespaces = sorted({writer.namespace for writer in writers})
    found = [it for namespace in namespaces for it in cluster.list("Pod", namespace, api_version="v1")]
    states = {f"{it['metadata']['namespace']}/{it['metadata']['name']}": it["status"] for it in found}
    late = {it.name: states.get(it.name, {}) for it in writers if states.get(it.name, {}).get("phase") != "Running"}
    assert not late, "; ".join(f"{name} is {_why(status)}" for name, status in late.items())
    return True


def all_at_once(jobs: Sequence[Callable[[], object]]) -> None:
    """Run all jobs side by side; the first error is raised when all have ended."""
    with ThreadPoolExecutor(max_workers=max(1, min(len(jobs), 16))) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result()


class Steady:
    """How far a steady writer has come; `count` lines are written, numbered from 1."""

    def __init__(self) -> None:
        self.count = 0
        self.error: BaseException | None = None


@contextmanager
def writing(writer: Writer, stream: Stream, payload: str = "") -> Iterator[Steady]:
    """Write numbered lines, twenty a second, for the length of the block.

    Raises InvalidMeasurement at its end when the writer failed meanwhile.
    """
    steady, stop = Steady(), Event()

    def go_on() -> None:
        try:
            while not stop.is_set():
                writer.write_slowly(stream.lines(steady.count + 1, _RATE // 2, payload))
                steady.count += _RATE // 2
        except BaseException as error:
            steady.error = error

    thread = Thread(target=go_on, name=f"writer-{writer.pod}", daemon=True)
    thread.start()
    try:
        yield steady
    finally:
        stop.set()
        thread.join()
    if steady.error is not None:
        raise steady.error


def _why(status: Mapping[str, Any]) -> str:
    states = [it.get("state", {}).get("waiting", {}) for it in status.get("containerStatuses") or []]
    reasons = [f"{state['reason']} {state.get('message', '')}".strip() for state in states if "reason" in state]
    return "; ".join(reasons) or str(status.get("phase", "not there"))
