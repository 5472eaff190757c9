"""The cluster is what was asked for, and can carry what is put on it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import yaml

from meshproof.manifests import Manifest
from meshproof.mesh import OUTSIDE, Mesh
from meshproof.probe import Answered, Request
from meshproof.report.evidence import Evidence
from meshproof.waiting import eventually

pytestmark = pytest.mark.looks_at("nodes", "addresses", "outside")

IMAGE = "docker.io/meshproof/alpine:1.0.0"


def test_nodes_are_ready(mesh: Mesh, evidence: Evidence) -> None:
    """Every node is Ready, and there are as many as were asked for."""
    nodes = mesh.cluster.list("Node")
    conditions = {
        node["metadata"]["name"]: {c["type"]: c["status"] for c in node["status"].get("conditions", [])}
        for node in nodes
    }
    evidence.add("conditions", conditions)
    if not mesh.bed.borrowed:
        assert len(nodes) == 1 + mesh.settings.workers, f"nodes: {', '.join(conditions)}"
    for name, condition in conditions.items():
        assert condition.get("Ready") == "True", f"node {name} is not ready: {condition}"


def test_versions_are_those_asked_for(mesh: Mesh, evidence: Evidence) -> None:
    """Kubernetes, Istio and MetalLB run in the versions of this run's settings."""
    kubelets = {node["status"]["nodeInfo"]["kubeletVersion"] for node in mesh.cluster.list("Node")}
    images = {
        name: [
            c["image"]
            for c in (mesh.cluster.get("Deployment", name, namespace) or {})["spec"]["template"]["spec"]["containers"]
        ]
        for name, namespace in (("istiod", "istio-system"), ("controller", "metallb-system"))
    }
    evidence.add("versions", {"api server": mesh.cluster.server_version(), "kubelets": kubelets, **images})
    if not mesh.bed.borrowed:
        assert kubelets == {f"v{mesh.settings.kubernetes}"}, f"asked for {mesh.settings.kubernetes}, run: {kubelets}"
    istio, metallb = mesh.installed.versions["istio"], mesh.settings.metallb
    assert images["istiod"][0].endswith(f":{istio}"), f"asked for Istio {istio}, runs: {images['istiod']}"
    assert images["controller"][0].endswith(f":v{metallb}"), (
        f"asked for MetalLB {metallb}, runs: {images['controller']}"
    )


def test_control_plane_is_untainted(mesh: Mesh, evidence: Evidence) -> None:
    """Nothing keeps the gateway or the apps off the control plane."""
    nodes = mesh.cluster.list("Node", labels="node-role.kubernetes.io/control-plane")
    taints = {node["metadata"]["name"]: node["spec"].get("taints", []) for node in nodes}
    evidence.add("taints", taints)
    assert taints, "no node is labelled as control plane"
    for name, found in taints.items():
        assert not found, f"{name} is tainted: {found}"


def test_kube_proxy_leaves_arp_to_metallb(mesh: Mesh, evidence: Evidence) -> None:
    """kube-proxy's configuration says strictARP: true."""
    config = mesh.cluster.get("ConfigMap", "kube-proxy", "kube-system") or {}
    settings = yaml.safe_load(config.get("data", {}).get("config.conf", "{}"))
    evidence.add("kube-proxy", {"mode": settings.get("mode"), "ipvs": settings.get("ipvs")})
    assert settings.get("ipvs", {}).get("strictARP") is True, (
        f"strictARP is {settings.get('ipvs', {}).get('strictARP')}"
    )


def test_storage_provisions(mesh: Mesh, evidence: Evidence) -> None:
    """A claim on the default storage class is bound as soon as a pod uses it, and keeps what was written."""
    claim: Manifest = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "storage-check", "namespace": OUTSIDE},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    with mesh.temporary([claim]):
        for number, command in enumerate(("echo kept > /data/note", "test $(cat /data/note) = kept")):
            pod = _pod(f"storage-check-{number}", ["sh", "-c", command], claim="storage-check")
            with mesh.temporary([pod]):
                eventually(
                    lambda name=pod["metadata"]["name"]: _phase(mesh, name) == "Succeeded",  # type: ignore[misc]
                    timeout=mesh.timeouts.rollout,
                    what=f"a pod ran `{command}` on the volume",
                )
        found = mesh.cluster.get("PersistentVolumeClaim", "storage-check", OUTSIDE) or {}
        evidence.add("claim", found.get("status"))
        assert found["status"]["phase"] == "Bound", f"the claim is {found['status']}"


def test_pods_reach_each_other_from_every_node_to_every_node(mesh: Mesh, evidence: Evidence) -> None:
    """A pod on each node is answered by another pod on each node, at its own address."""
    nodes = [node["metadata"]["name"] for node in mesh.cluster.list("Node")]
    asking = [_pod(f"ask-{number}", None, node=node) for number, node in enumerate(nodes)]
    responders = [_pod(f"reach-{number}", None, node=node) for number, node in enumerate(nodes)]
    with mesh.temporary([*asking, *responders]):

        def addresses() -> dict[str, str]:
            ready = [pod for pod in mesh.pods(OUTSIDE) if pod.name.startswith(("ask-", "reach-")) and pod.is_ready]
            found = {pod.node: pod.ip for pod in ready if pod.name.startswith("reach-")}
            assert set(found) == set(nodes), f"pods run on {sorted(map(str, found))}"
            assert len(ready) == 2 * len(nodes), f"ready: {', '.join(pod.name for pod in ready)}"
            return {str(node): str(ip) for node, ip in found.items()}

        ips = eventually(addresses, timeout=mesh.timeouts.rollout, what="a pod runs on every node")
        outcomes: dict[str, Any] = {}
        for number, target in product(range(len(nodes)), nodes):
            vantage = mesh.vantage(OUTSIDE, f"ask-{number}")
            outcomes[f"{nodes[number]} -> {target}"] = vantage.send(Request(f"http://{ips[target]}:5000/healthz"))
        evidence.add("outcomes", outcomes)
        for way, outcome in outcomes.items():
            assert isinstance(outcome, Answered) and outcome.status == 200, f"{way}: {outcome}"


def _pod(name: str, command: list[str] | None, *, claim: str | None = None, node: str | None = None) -> Manifest:
    container: dict[str, Any] = {"name": "check", "image": IMAGE, "imagePullPolicy": "IfNotPresent"}
    spec: dict[str, Any] = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
    if command:
        container["command"] = command
    if claim:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    if node:
        spec["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": OUTSIDE}, "spec": spec}


def _phase(mesh: Mesh, name: str) -> str:
    pod = mesh.cluster.get("Pod", name, OUTSIDE) or {}
    return str(pod.get("status", {}).get("phase"))
