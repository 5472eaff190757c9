"""The agents run as their DatadogAgent says, free of sidecars, and can be reached with traces from every sidecar."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from meshproof.datadog import DATADOG, Datadog
from meshproof.errors import InvalidMeasurement, UsageError
from meshproof.files import fixtures_folder
from meshproof.mesh import APPS, Mesh
from meshproof.moments import seconds
from meshproof.observability.agents import (
    INJECTION,
    container_lists,
    containers_of,
    differing_annotations,
    differing_env,
    differing_lists,
    mixed_exclusions,
    policies_in_the_way,
    wanted_annotations,
    wanted_env,
)
from meshproof.probe import Answered, Request
from meshproof.probe.inventory import pods
from meshproof.report.evidence import Evidence
from meshproof.waiting import eventually

pytestmark = pytest.mark.looks_at("agents", "client")

COMPONENTS = {
    "nodeAgent": ("DaemonSet", "datadog-agent", "agent"),
    "clusterAgent": ("Deployment", "datadog-cluster-agent", "cluster-agent"),
    "clusterChecksRunner": ("Deployment", "datadog-cluster-checks-runner", "cluster-checks-runner"),
}
PORT = 8126
each_component = pytest.mark.parametrize("component", COMPONENTS)


def the_agent(mesh: Mesh) -> dict[str, Any]:
    found = mesh.cluster.get("DatadogAgent", DATADOG, DATADOG, "datadoghq.com/v2alpha1")
    assert found is not None, f"there is no DatadogAgent {DATADOG}/{DATADOG}"
    return found


def workload(mesh: Mesh, component: str) -> dict[str, Any]:
    kind, name, _ = COMPONENTS[component]
    found = mesh.cluster.get(kind, name, DATADOG, "apps/v1")
    assert found is not None, f"there is no {kind} {DATADOG}/{name}"
    return found


def pods_of(mesh: Mesh, component: str) -> list[dict[str, Any]]:
    """The component's pods as the API has them."""
    labels = f"agent.datadoghq.com/component={COMPONENTS[component][2]}"
    return [it for it in mesh.cluster.list("Pod", DATADOG, labels) if "deletionTimestamp" not in it["metadata"]]


def is_injected(manifest: Mapping[str, Any]) -> bool:
    spec = manifest["spec"]
    return any(it["name"] == "istio-proxy" for it in (*spec["containers"], *spec.get("initContainers", [])))


def test_one_agent_runs_on_every_node(mesh: Mesh, datadog: Datadog, evidence: Evidence) -> None:
    """Each node has an agent; agents, cluster agent and runner are ready, and none was restarted but with the whole
    cluster."""
    nodes = {node["metadata"]["name"] for node in mesh.cluster.list("Node")}
    agents = datadog.agents()
    assert {pod.node for pod in agents} == nodes, (
        f"agents on {sorted(str(pod.node) for pod in agents)} of {sorted(nodes)}"
    )
    woken = seconds(mesh.installed.woken_at) if mesh.installed.woken_at else 0.0
    for _, _, label in COMPONENTS.values():
        found = pods(mesh.cluster, DATADOG, {"agent.datadoghq.com/component": label})
        evidence.add(label, found)
        assert found, f"there is no pod of {label}"
        for pod in found:
            assert pod.is_ready, f"{pod.name} is {pod.phase} and {pod.ready}/{len(pod.containers)} ready"
            # With its nodes a kept cluster's containers are restarted, some more often until they find each other.
            by_itself = pod.restarted_at is not None and pod.restarted_at >= woken
            assert not by_itself, f"{pod.name} has restarted containers: restarts={pod.restarts}"


@each_component
def test_the_operator_made_what_was_asked_for(mesh: Mesh, component: str, evidence: Evidence) -> None:
    """Every container has the variables of the DatadogAgent, every pod its annotations and its image's version."""
    agent, made = the_agent(mesh), workload(mesh, component)
    wanted, annotations = wanted_env(agent, component), wanted_annotations(agent, component)
    evidence.add("asked for", {"env": wanted, "annotations": annotations})
    evidence.add("images", [it["image"] for it in containers_of(made)])
    template = made["spec"]["template"]
    findings = differing_env(made, wanted) + differing_annotations("template", template["metadata"], annotations)
    assert not findings, f"{len(findings)} differences: {findings[0]}"
    tag = agent["spec"]["override"][component]["image"]["tag"]
    for container in containers_of(made):
        assert container["image"].endswith(f":{tag}"), (
            f"{container['name']} runs {container['image']}, not version {tag}"
        )


@each_component
def test_no_agent_has_a_sidecar(mesh: Mesh, component: str, evidence: Evidence) -> None:
    """In a namespace where pods get sidecars, the annotation alone keeps them off the agents."""
    name = COMPONENTS[component][1]
    template = workload(mesh, component)["spec"]["template"]
    found = pods_of(mesh, component)
    if not found:
        raise InvalidMeasurement(f"{name} has no pod to look at")
    for pod in found:
        assert not is_injected(pod), f"{pod['metadata']['name']} has a sidecar"
    for owner, metadata in [(name, template["metadata"]), *((it["metadata"]["name"], it["metadata"]) for it in found)]:
        findings = differing_annotations(owner, metadata, {INJECTION: "false"})
        assert not findings, findings[0]
    # The control, which is only tried, never made: the same pod without the annotation.
    bare = copy.deepcopy({"metadata": template["metadata"], "spec": template["spec"]})
    bare["metadata"] = {"name": "without-the-annotation", "namespace": DATADOG, "labels": bare["metadata"]["labels"]}
    (tried,) = mesh.cluster.apply([{"apiVersion": "v1", "kind": "Pod", **bare}], dry_run=True)
    evidence.add("without the annotation", {"containers": [it["name"] for it in tried["spec"]["containers"]]})
    if not is_injected(tried):
        raise InvalidMeasurement(f"in {DATADOG} a pod without the annotation gets no sidecar either")


def test_traces_can_be_sent_to_the_nodes_port(mesh: Mesh, datadog: Datadog, evidence: Evidence) -> None:
    """From a sidecar's place, every node's port 8126 is the agent's, which says that it takes traces."""
    ports = [it for c in containers_of(workload(mesh, "nodeAgent")) for it in c.get("ports", []) if it.get("hostPort")]
    evidence.add("ports on the node", ports)
    assert PORT in {it["hostPort"] for it in ports}, f"no container has the host's port {PORT}: {ports or 'no ports'}"
    addresses = {pod["status"]["hostIP"] for pod in pods_of(mesh, "nodeAgent")}
    if not addresses or len(addresses) < len(datadog.agents()):
        raise InvalidMeasurement("not every agent is on a node with an address", seen=sorted(addresses))
    for address in sorted(addresses):
        takes_traces(mesh, f"[{address}]" if ":" in address else address, evidence)


def test_traces_can_be_sent_to_the_service(mesh: Mesh, evidence: Evidence) -> None:
    """Service datadog-agent leads from a sidecar's place to its node's agent, and no NetworkPolicy forbids it."""
    service = mesh.cluster.get("Service", "datadog-agent", DATADOG, "v1")
    assert service is not None, "there is no Service datadog/datadog-agent"
    evidence.add("service", service["spec"])
    assert service["spec"].get("internalTrafficPolicy") == "Local", "the Service leads to agents of other nodes, too"
    policies = mesh.cluster.list("NetworkPolicy", DATADOG, api_version="networking.k8s.io/v1")
    for pod in pods_of(mesh, "nodeAgent"):
        findings = policies_in_the_way(policies, pod["metadata"]["labels"], PORT)
        assert not findings, findings[0]
    takes_traces(mesh, f"datadog-agent.{DATADOG}.svc.cluster.local", evidence)


def takes_traces(mesh: Mesh, host: str, evidence: Evidence) -> None:
    """As the sidecar's own user, in a pod of the mesh."""
    outcome = mesh.past_the_sidecar.send(Request(f"http://{host}:{PORT}/info"))
    evidence.add(f"asked {host}", outcome)
    assert isinstance(outcome, Answered) and outcome.status == 200, f"{host}:{PORT} from {APPS}: {outcome}"
    assert "/v0.4/traces" in outcome.json().get("endpoints", []), f"{host}:{PORT} takes no traces: {outcome.text[:200]}"


def test_exclusions_are_of_one_kind(mesh: Mesh, evidence: Evidence) -> None:
    """DD_CONTAINER_EXCLUDE, which no inclusion could soften, never stands beside the lists of logs and metrics."""
    for component in COMPONENTS:
        made = workload(mesh, component)
        evidence.add(component, container_lists(containers_of(made)))
        findings = mixed_exclusions(made)
        assert not findings, findings[0]
    assert container_lists(containers_of(workload(mesh, "nodeAgent"))), "the agents exclude nothing at all"


def test_the_helm_values_say_the_same(mesh: Mesh, evidence: Evidence) -> None:
    """Whoever installs by Helm with our overrides.yaml excludes the same containers, and gets no sidecars either."""
    path = fixtures_folder() / "manifests" / "datadog" / "overrides.yaml"
    if not path.is_file():
        raise InvalidMeasurement("there is no overrides.yaml to compare with", seen=path)
    values = yaml.safe_load(path.read_text())
    ours, theirs = container_lists(values), container_lists(containers_of(workload(mesh, "nodeAgent")))
    evidence.add("lists", {"overrides.yaml": ours, "DaemonSet": theirs})
    findings = differing_lists(ours, theirs)
    assert ours and not findings, f"overrides.yaml and the DaemonSet: {findings[0] if findings else 'no lists'}"
    for part in ("agents", "clusterAgent", "clusterChecksRunner"):
        annotations = values.get(part, {}).get("podAnnotations", {})
        assert annotations.get(INJECTION) == "false", f"{part}.podAnnotations: {annotations}"


def test_the_backend_takes_our_key(datadog: Datadog, evidence: Evidence) -> None:
    """The keys of this run are accepted, as `agent validate` would see it."""
    evidence.add("asked", {"API key": "validate", "application key": "list one span", "backend": datadog.mode.value})
    try:
        datadog.backend.validate()
    except UsageError as error:
        raise AssertionError(f"the backend refuses a key: {error}") from error


def test_connections_are_seen(mesh: Mesh, datadog: Datadog, evidence: Evidence) -> None:
    """Network performance monitoring tells who is connected to whom."""
    agent = the_agent(mesh)
    assert agent["spec"]["features"].get("npm", {}).get("enabled"), "the DatadogAgent does not ask for it"
    if "npm" in datadog.left_out:
        pytest.skip(datadog.left_out["npm"])
    if datadog.intake is None:
        pytest.skip("Datadog's public API does not show connections")
    intake = datadog.intake
    found = eventually(
        lambda: intake.documents("kind:connection", datadog.since, limit=20),
        timeout=datadog.deadline + 30,  # a round of the collector
        what="connections are found",
        every=1.0,
    )
    evidence.add("connections", found)
