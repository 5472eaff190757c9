"""What the manifests of the Datadog half promise, read from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from meshproof.bed.images import load_catalogue
from meshproof.files import data_root, fixtures_folder
from meshproof.manifests import load_manifests

FOLDER = fixtures_folder() / "manifests" / "datadog"
CATALOGUE = load_catalogue(data_root())
(AGENT,) = load_manifests([FOLDER / "datadog-agent.yaml"])
SPEC: dict[str, Any] = AGENT["spec"]
COMPONENTS = ("nodeAgent", "clusterAgent", "clusterChecksRunner")
EXCLUDED_NAMESPACES = {
    *("kube-system", "istio-system", "prometheus", "grafana", "kubernetes-dashboard", "jenkins"),
    *("kube-node-lease", "kube-public", "default"),
}


def environments() -> Iterator[dict[str, Any]]:
    yield from SPEC["global"]["env"]
    for component in COMPONENTS:
        yield from SPEC["override"][component].get("env", [])


def node_variable(name: str) -> str:
    (value,) = [entry["value"] for entry in SPEC["override"]["nodeAgent"]["env"] if entry["name"] == name]
    return str(value)


def own(kind: str, file: str) -> dict[str, Any]:
    (found,) = [manifest for manifest in load_manifests([FOLDER / file]) if manifest["kind"] == kind]
    return dict(found)


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_agent_is_given_a_sidecar(component: str) -> None:
    assert SPEC["override"][component]["annotations"] == {"sidecar.istio.io/inject": "false"}


def test_the_namespace_would_have_them_injected() -> None:
    assert own("Namespace", "namespace.yaml")["metadata"]["labels"] == {"istio-injection": "enabled"}


@pytest.mark.parametrize("file", ["intake.yaml", "operator.yaml"])
def test_what_is_ours_has_no_sidecar_either(file: str) -> None:
    labels = own("Deployment", file)["spec"]["template"]["metadata"]["labels"]
    assert labels["sidecar.istio.io/inject"] == "false"


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_operator_starts_the_images_that_are_in_the_nodes(component: str) -> None:
    name = "datadog-cluster-agent" if component == "clusterAgent" else "datadog-agent"
    image = CATALOGUE.image(name)
    assert (SPEC["global"]["registry"], SPEC["override"][component]["image"]["tag"]) == (image.hub, image.tag)


@pytest.mark.parametrize("what", ["LOGS", "METRICS"])
def test_proxies_and_system_namespaces_are_excluded(what: str) -> None:
    entries = set(node_variable(f"DD_CONTAINER_EXCLUDE_{what}").split())
    assert entries == {"image:docker.io/istio/proxyv2", *(f"kube_namespace:{name}" for name in EXCLUDED_NAMESPACES)}


def test_nothing_is_excluded_in_a_way_that_no_inclusion_can_undo() -> None:
    assert not {"DD_CONTAINER_EXCLUDE", "DD_AC_EXCLUDE"} & {entry["name"] for entry in environments()}


def test_the_included_image_is_one_that_the_nodes_have() -> None:
    reference = CATALOGUE.image("included").reference
    images = [entry.removeprefix("image:") for entry in node_variable("DD_CONTAINER_INCLUDE_LOGS").split()]
    assert [image for image in images if reference.startswith(f"{image}:")] == ["docker.io/meshproof/included"]


def test_traces_come_in_at_the_port_of_the_node() -> None:
    assert SPEC["features"]["apm"] == {"enabled": True, "hostPortConfig": {"enabled": True, "hostPort": 8126}}


def test_every_containers_log_is_read_and_the_place_is_kept_on_the_node() -> None:
    logs = SPEC["features"]["logCollection"]
    assert (logs["enabled"], logs["containerCollectAll"]) == (True, True)
    assert logs["tempStoragePath"].startswith("/var/lib/")


def test_keys_are_taken_from_the_secret_alone() -> None:
    assert set(SPEC["global"]["credentials"]) == {"apiSecret", "appSecret"}
    secrets = {item["secretName"] for item in SPEC["global"]["credentials"].values()}
    reference = own("Deployment", "intake.yaml")["spec"]["template"]["spec"]["containers"][0]["env"][0]
    assert {reference["valueFrom"]["secretKeyRef"]["name"]} == secrets == {"datadog-secret"}


def test_the_intakes_pipelines_are_mounted_where_it_looks() -> None:
    spec = own("Deployment", "intake.yaml")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    pipelines = own("ConfigMap", "log-pipelines.yaml")
    (file,) = pipelines["data"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
    assert f"--pipelines=/etc/meshproof/{file}" in container["args"]
    assert mounts["/etc/meshproof"]["configMap"]["name"] == pipelines["metadata"]["name"]
    assert "--data=/data" in container["args"]
    claim = own("PersistentVolumeClaim", "intake.yaml")["metadata"]["name"]
    assert mounts["/data"]["persistentVolumeClaim"]["claimName"] == claim


def test_the_intake_is_where_the_agents_send() -> None:
    service = own("Service", "intake.yaml")
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    (port,) = service["spec"]["ports"]
    assert SPEC["global"]["endpoint"]["url"] == f"http://{name}.{namespace}.svc.cluster.local:{port['port']}"
