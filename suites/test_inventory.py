"""Nodes, pods, containers, volumes, claims and events are in the backend as they are in the cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meshproof.datadog import Datadog
from meshproof.errors import InvalidMeasurement
from meshproof.intake.client import IntakeControl
from meshproof.mesh import APPS, OUTSIDE, Mesh
from meshproof.observability.agent_settings import daemon_set
from meshproof.observability.filters import ContainerFilters, Product, containers_of
from meshproof.observability.sentinels import new_run
from meshproof.observability.writers import writer_pod
from meshproof.report.evidence import Evidence, ParityRow
from meshproof.waiting import StateNotReached, eventually

# An object that does not change may be told but every few minutes.
TOLD_AGAIN = timedelta(minutes=30)
EVERY = 1.0

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of the cluster, what the backend calls it, and what both must say the same of it."""

    name: str
    told_as: str
    state: Callable[[Object], str] = lambda _: "exists"
    told_state: Callable[[Object], str] = lambda _: "exists"


KINDS = (
    Kind("Node", "node"),
    Kind("Namespace", "namespace"),
    Kind("Deployment", "deployment"),
    Kind("DaemonSet", "daemon-set"),
    Kind("Service", "service"),
    Kind(
        "Pod",
        "pod",
        lambda it: f"{it['status'].get('phase')} on {it['spec'].get('nodeName')}",
        lambda it: f"{it['phase']} on {it['node']}",
    ),
    Kind("PersistentVolume", "persistent-volume", lambda it: str(it["status"]["phase"]), lambda it: str(it["phase"])),
    Kind(
        "PersistentVolumeClaim",
        "persistent-volume-claim",
        lambda it: str(it["status"]["phase"]),
        lambda it: str(it["phase"]),
    ),
)


@pytest.fixture
def control(datadog: Datadog) -> IntakeControl:
    """What the intake keeps beside traces, logs and metrics."""
    if datadog.intake is None:
        pytest.skip("Datadog's public API does not tell its inventory")
    return datadog.intake


def settle(datadog: Datadog, look: Callable[[], bool], what: str) -> None:
    """Wait for a state; when it does not come, the check judges what was seen last."""
    with suppress(StateNotReached):
        eventually(look, timeout=datadog.deadline, what=what, every=EVERY)


def needs(datadog: Datadog, feature: str) -> None:
    """Skip, with its reason, what these agents say they do not do."""
    if feature in datadog.left_out:
        pytest.skip(datadog.left_out[feature])


def is_leaving(found: Object) -> bool:
    return "deletionTimestamp" in found["metadata"]


@pytest.mark.parametrize("kind", KINDS, ids=[kind.told_as for kind in KINDS])
def test_objects_are_seen_as_they_are(
    mesh: Mesh, datadog: Datadog, control: IntakeControl, kind: Kind, evidence: Evidence
) -> None:
    """Every object of the kind is in the backend, under its own uid and in its own state."""
    needs(datadog, "orchestrator_explorer")
    rows: list[tuple[str, str, str]] = []

    def look() -> bool:
        told: dict[str, str] = {}
        for document in control.documents(f"kind:{kind.told_as}", datetime.now(UTC) - TOLD_AGAIN):  # the newest first
            told.setdefault(document["content"]["uid"], kind.told_state(document["content"]))
        rows[:] = [
            (name_of(it), kind.state(it), told.get(it["metadata"]["uid"], "not told"))
            for it in mesh.cluster.list(kind.name)
            if not is_leaving(it)
        ]
        return all(state == told_state for _, state, told_state in rows)

    settle(datadog, look, f"every {kind.name} is in the backend")
    evidence.table(kind.name, ("name", "in the cluster", "in the backend"), rows)
    if not rows:
        raise InvalidMeasurement(f"the cluster has no {kind.name} that could be seen")
    wrong = [f"{name} is {state}, told: {told_state}" for name, state, told_state in rows if state != told_state]
    assert not wrong, f"{len(wrong)} of {len(rows)}: {'; '.join(wrong[:5])}"


def name_of(found: Object) -> str:
    """NAMESPACE/NAME, or the name alone."""
    metadata = found["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def test_the_claim_of_the_apps_is_told_as_bound(control: IntakeControl, datadog: Datadog, evidence: Evidence) -> None:
    """The claim of text-to-speech, and a volume, are in the backend as Bound."""
    needs(datadog, "orchestrator_explorer")
    phases: dict[str, str] = {}

    def look() -> bool:
        for kind, which in (("persistent-volume-claim", f'name:"{APPS}/text-to-speech"'), ("persistent-volume", "")):
            found = control.documents(f"kind:{kind} {which}", datetime.now(UTC) - TOLD_AGAIN)
            phases[kind] = next((it["content"]["phase"] for it in found), "not told")
        return set(phases.values()) == {"Bound"}

    settle(datadog, look, "claim and volume are told as Bound")
    evidence.add("phases", phases)
    for kind, phase in phases.items():
        assert phase == "Bound", f"the {kind} is {phase} in the backend"


def test_running_containers_are_seen(mesh: Mesh, datadog: Datadog, control: IntakeControl, evidence: Evidence) -> None:
    """Every running container whose metrics are not excluded is in the backend, under its own id."""
    needs(datadog, "live_containers")
    filters = ContainerFilters.of_agent(daemon_set(mesh.cluster))
    began = datetime.now(UTC) - timedelta(seconds=30)
    running: dict[str, str] = {}
    missing: dict[str, str] = {}
    told: dict[str, str] = {}

    def look() -> bool:
        running.clear()
        wanted = set()
        for pod in mesh.cluster.list("Pod", api_version="v1"):
            metrics = {it.name: filters.decide(it, Product.METRICS).included for it in containers_of(pod)}
            status = pod["status"]
            for it in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
                if "running" in it["state"] and not is_leaving(pod):
                    identity = it["containerID"].rpartition("/")[2]
                    running[identity] = f"{name_of(pod)}/{it['name']}"
                    wanted |= {identity} if metrics[it["name"]] else set()
        told.update({it["content"]["id"]: it["name"] for it in control.documents("kind:container", began)})
        missing.clear()
        missing.update({identity: running[identity] for identity in wanted - told.keys()})
        return bool(wanted) and not missing

    settle(datadog, look, "every running container is in the backend")
    evidence.add("containers", {"running": len(running), "told": len(told)})
    if not running:
        raise InvalidMeasurement("no container runs")
    assert not missing, f"{len(missing)} of {len(running)} are not in the backend: {sorted(missing.values())[:5]}"


def test_hosts_are_seen(mesh: Mesh, datadog: Datadog, control: IntakeControl, evidence: Evidence) -> None:
    """Every node is a host in the backend, with metadata."""
    nodes = [node["metadata"]["name"] for node in mesh.cluster.list("Node")]
    hosts: set[str] = set()

    def look() -> bool:
        hosts.update(it["host"] for it in control.documents("kind:metadata", datetime.now(UTC) - TOLD_AGAIN))
        return all(is_host(node, hosts) for node in nodes)

    settle(datadog, look, "every node is a host")
    evidence.add("hosts", {"nodes": nodes, "told": hosts})
    missing = [node for node in nodes if not is_host(node, hosts)]
    assert not missing, f"no metadata of {', '.join(missing)}; hosts: {sorted(hosts)}"


def is_host(node: str, hosts: set[str]) -> bool:
    """Agents that know the cluster's name put it behind the node's."""
    return node in hosts or f"{node}-meshproof" in hosts


@pytest.mark.parametrize("metric", ["kubernetes.pods.running", "kubernetes.containers.running"])
def test_counts_are_those_of_the_cluster(mesh: Mesh, datadog: Datadog, metric: str, evidence: Evidence) -> None:
    """How many pods and containers run in apps is the same in the backend's metrics and in the cluster."""
    seconds = 20  # longer than the interval of the metrics, so that every source has a point in each bucket
    query = f"sum:{metric}{{kube_namespace:{APPS}}}.rollup(max, {seconds})"
    expected, values = 0, list[float]()

    def look() -> bool:
        nonlocal expected
        expected = counted(mesh, metric)
        since = datetime.now(UTC) - timedelta(seconds=2 * seconds)
        values[:] = [value for series in datadog.backend.metrics(query, since) for _, value in series.points]
        return expected in values

    settle(datadog, look, f"{metric} is as in the cluster")
    told = values[-1] if values else 0.0
    evidence.parity(
        "counts", [ParityRow(metric, expected, told, 0, expected in values)], ours="cluster", theirs="backend"
    )
    if not expected:
        raise InvalidMeasurement(f"nothing runs in {APPS}")
    assert values, f"no point of {metric} arrived"
    assert expected in values, f"{metric} in {APPS}: {expected} in the cluster, {values} in the backend"


def counted(mesh: Mesh, metric: str) -> int:
    """The same figure from the cluster; of containers, those whose metrics are not excluded."""
    pods = [it for it in mesh.cluster.list("Pod", APPS, api_version="v1") if it["status"].get("phase") == "Running"]
    if metric == "kubernetes.pods.running":
        return len(pods)
    filters = ContainerFilters.of_agent(daemon_set(mesh.cluster))
    count = Counter[bool]()
    for pod in pods:
        included = {it.name: filters.decide(it, Product.METRICS).included for it in containers_of(pod)}
        statuses = [*pod["status"].get("initContainerStatuses", []), *pod["status"].get("containerStatuses", [])]
        count.update("running" in it["state"] and included[it["name"]] for it in statuses)
    return count[True]


@pytest.mark.looks_at("agents", "outside")
def test_events_arrive(mesh: Mesh, datadog: Datadog, control: IntakeControl, evidence: Evidence) -> None:
    """What Kubernetes tells about a new pod in its events is told in the backend's."""
    needs(datadog, "event_collection")
    name = f"told-{new_run()}"
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found[:] = control.documents(f'kind:event "{name}"', datadog.since)
        return bool(found)

    with mesh.temporary([writer_pod(OUTSIDE, name)]):
        settle(datadog, look, "an event about the pod arrives")
        events = [it for it in mesh.cluster.events(OUTSIDE) if it["involvedObject"].get("name") == name]
    evidence.add("in the cluster", [f"{it.get('reason')}: {it.get('message')}" for it in events])
    evidence.add("in the backend", found)
    if not events:
        raise InvalidMeasurement(f"Kubernetes itself has no event about {name}")
    assert found, f"none of {len(events)} events about {name} is in the backend"
