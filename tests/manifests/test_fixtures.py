"""What the showcase promises, read from the manifests themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshproof.bed.images import load_catalogue
from meshproof.files import data_root, fixtures_folder
from meshproof.manifests import Manifest, load_manifests

FOLDER = fixtures_folder() / "manifests"
FILES = sorted(path for path in FOLDER.rglob("*.yaml") if path.name != "overrides.yaml")  # Helm's values
CATALOGUE = load_catalogue(data_root())
HOSTS = {f"{name}.apps.svc.cluster.local" for name in ("goapi", "text-to-speech", "alpine")}


def everything() -> Iterator[Manifest]:
    for path in FILES:
        if not path.name.startswith("overlay-"):
            yield from load_manifests([path])


def one(kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
    (found,) = [
        manifest
        for manifest in everything()
        if manifest["kind"] == kind
        and manifest["metadata"]["name"] == name
        and namespace in (None, manifest["metadata"].get("namespace"))
    ]
    return dict(found)


def pod_templates() -> Iterator[tuple[str, dict[str, Any]]]:
    for manifest in everything():
        if manifest["kind"] in ("Deployment", "DaemonSet"):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]


def containers() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, template in pod_templates():
        spec = template["spec"]
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            yield f"{name}/{container['name']}", container


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_file_holds_kubernetes_objects(path: Path) -> None:
    assert load_manifests([path])


def test_no_object_is_written_twice() -> None:
    names = [(m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in everything()]
    assert len(names) == len(set(names))


def test_every_object_is_in_a_namespace_that_is_written_here_or_installed() -> None:
    known = {m["metadata"]["name"] for m in everything() if m["kind"] == "Namespace"} | {"metallb-system"}
    used = {m["metadata"].get("namespace") for m in everything()} - {None}
    assert used <= known


# --- images


def test_every_image_is_in_the_catalogue() -> None:
    known = {image.reference for image in CATALOGUE.images}
    assert {container["image"] for _, container in containers()} - {"auto"} <= known


def test_no_container_pulls_what_is_there() -> None:
    assert [name for name, container in containers() if container.get("imagePullPolicy") != "IfNotPresent"] == []


def test_istios_hub_and_tag_are_the_catalogues() -> None:
    spec = one("IstioOperator", "meshproof", "istio-system")["spec"]
    pilot = CATALOGUE.image("istio-pilot")
    assert (spec["hub"], spec["tag"]) == (pilot.hub, pilot.tag)


def test_requests_leave_room_on_two_cores() -> None:
    requested = 0
    for name, container in containers():
        assert "requests" in container.get("resources", {}), name
        requested += int(container["resources"]["requests"]["cpu"].removesuffix("m"))
    assert requested <= 500


# --- the control plane


def operator(name: str = "istio-operator") -> dict[str, Any]:
    (manifest,) = load_manifests([FOLDER / "istio" / f"{name}.yaml"])
    return dict(manifest["spec"])


def test_the_profile_is_minimal() -> None:
    assert operator()["profile"] == "minimal"


def test_access_logs_are_json_with_what_refusals_are_told_by() -> None:
    mesh = operator()["meshConfig"]
    assert (mesh["accessLogFile"], mesh["accessLogEncoding"]) == ("/dev/stdout", "JSON")
    assert set(json.loads(mesh["accessLogFormat"])) == {
        "start_time", "method", "path", "protocol", "response_code", "response_flags", "response_code_details",
        "connection_termination_details", "upstream_transport_failure_reason", "bytes_received", "bytes_sent",
        "duration", "authority", "request_id", "user_agent", "x_forwarded_for", "upstream_host", "upstream_cluster",
        "upstream_peer_uri_san",
        "downstream_local_address", "downstream_remote_address", "downstream_peer_uri_san", "downstream_local_uri_san",
        "downstream_tls_version", "requested_server_name", "route_name",
    }  # fmt: skip


def test_what_upstream_envoy_lacks_is_off_in_its_overlay_alone() -> None:
    values = operator("overlay-upstream-envoy")["values"]
    assert values["pilot"]["env"] == {"PILOT_ENABLE_ALPN_FILTER": "false", "PILOT_ENABLE_METADATA_EXCHANGE": "false"}
    assert values["telemetry"] == {"enabled": False}
    assert "env" not in operator()["values"]["pilot"]


def test_tracing_the_legacy_way_sends_everything_to_the_agent_of_the_own_node() -> None:
    overlay = operator("overlay-tracing-legacy")
    tracing = overlay["meshConfig"]["defaultConfig"]["tracing"]
    assert tracing == {"sampling": 100, "datadog": {"address": "$(HOST_IP):8126"}}
    assert overlay["values"]["global"]["proxy"]["tracer"] == "datadog"


def test_tracing_by_telemetry_names_a_provider_that_is_defined() -> None:
    (provider,) = operator("overlay-tracing-telemetry")["meshConfig"]["extensionProviders"]
    assert provider["datadog"] == {"service": "datadog/datadog-agent.datadog.svc.cluster.local", "port": 8126}
    telemetry = one("Telemetry", "mesh-default", "istio-system")
    assert telemetry["spec"]["tracing"] == [
        {"providers": [{"name": provider["name"]}], "randomSamplingPercentage": 100}
    ]


# --- the gateway


def test_the_gateway_is_a_load_balancer_on_80_and_443() -> None:
    spec = one("Service", "istio-ingressgateway")["spec"]
    assert spec["type"] == "LoadBalancer"
    assert [port["port"] for port in spec["ports"]] == [80, 443]


def test_the_gateways_labels_fit_its_service_and_its_gateway() -> None:
    labels = dict(pod_templates())["istio-ingressgateway"]["metadata"]["labels"]
    for selector in (
        one("Service", "istio-ingressgateway")["spec"]["selector"],
        one("Gateway", "gateway")["spec"]["selector"],
        one("Deployment", "istio-ingressgateway")["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()


def test_the_gateway_is_injected_from_the_gateway_template() -> None:
    metadata = dict(pod_templates())["istio-ingressgateway"]["metadata"]
    assert metadata["labels"]["sidecar.istio.io/inject"] == "true"
    assert metadata["annotations"] == {"inject.istio.io/templates": "gateway"}


def test_the_gateway_runs_on_the_ingress_node_in_spite_of_its_taint() -> None:
    spec = dict(pod_templates())["istio-ingressgateway"]["spec"]
    required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = required["nodeSelectorTerms"]
    assert term["matchExpressions"] == [{"key": "meshproof.dev/ingress", "operator": "In", "values": ["true"]}]
    assert "node-role.kubernetes.io/control-plane" in {toleration["key"] for toleration in spec["tolerations"]}


def test_the_gateway_listens_in_plain_and_with_a_certificate_from_a_secret() -> None:
    plain, tls = one("Gateway", "gateway", "istio-system")["spec"]["servers"]
    assert (plain["port"]["number"], plain["port"]["protocol"]) == (80, "HTTP")
    assert (tls["port"]["number"], tls["port"]["protocol"]) == (443, "HTTPS")
    assert tls["tls"] == {"mode": "SIMPLE", "credentialName": "gateway-certificate"}


def test_the_gateway_may_read_secrets_and_nothing_else() -> None:
    role = one("Role", "istio-ingressgateway-sds", "istio-system")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch", "list"]}]
    binding = one("RoleBinding", "istio-ingressgateway-sds", "istio-system")
    assert binding["roleRef"]["name"] == "istio-ingressgateway-sds"
    (subject,) = binding["subjects"]
    spec = dict(pod_templates())["istio-ingressgateway"]["spec"]
    assert (subject["kind"], subject["name"]) == ("ServiceAccount", spec["serviceAccountName"])


# --- the promises


def test_mtls_is_strict_for_all_of_the_apps() -> None:
    (policy,) = [m for m in everything() if m["kind"] == "PeerAuthentication"]
    assert policy["metadata"]["namespace"] == "apps"
    assert policy["spec"] == {"mtls": {"mode": "STRICT"}}


def route(name: str) -> dict[str, Any]:
    return dict(one("VirtualService", name, "apps")["spec"])


@pytest.mark.parametrize(
    ("name", "gateways"),
    [
        ("goapi-vs", {"istio-system/gateway", "mesh"}),
        ("text-to-speech-vs", {"istio-system/gateway", "mesh"}),
        ("alpine-vs", {"mesh"}),
    ],
)
def test_each_service_has_its_route_where_it_is_meant_to_be_reached(name: str, gateways: set[str]) -> None:
    assert route(name)["hosts"] == [f"{name.removesuffix('-vs')}.apps.svc.cluster.local"]
    assert set(route(name)["gateways"]) == gateways


def test_the_canary_gets_thirty_percent() -> None:
    ((http),) = route("text-to-speech-vs")["http"]
    assert {item["destination"]["subset"]: item["weight"] for item in http["route"]} == {"v1": 70, "v2": 30}


def test_each_arm_of_the_split_marks_its_answers() -> None:
    ((http),) = route("text-to-speech-vs")["http"]
    for item in http["route"]:
        assert item["headers"] == {"response": {"set": {"x-meshproof-arm": item["destination"]["subset"]}}}


def test_the_subsets_are_the_two_versions_that_run() -> None:
    rule = one("DestinationRule", "text-to-speech-destination-rule", "apps")["spec"]
    subsets = {subset["name"]: subset["labels"] for subset in rule["subsets"]}
    assert subsets == {"v1": {"version": "v1"}, "v2": {"version": "v2"}}
    running = {
        template["metadata"]["labels"]["version"]
        for _, template in pod_templates()
        if template["metadata"]["labels"]["app"] == "text-to-speech"
    }
    assert running == set(subsets)


def test_routes_lead_to_ports_that_the_services_have() -> None:
    for name in ("goapi", "alpine", "text-to-speech"):
        ports = {port["port"] for port in one("Service", name, "apps")["spec"]["ports"]}
        for http in route(f"{name}-vs")["http"]:
            assert {item["destination"]["port"]["number"] for item in http["route"]} <= ports
            assert {item["destination"]["host"] for item in http["route"]} <= HOSTS


# --- the apps and what is outside


def test_the_apps_are_injected_and_the_outside_is_not() -> None:
    assert one("Namespace", "apps")["metadata"]["labels"]["istio-injection"] == "enabled"
    assert one("Namespace", "outside")["metadata"]["labels"]["istio-injection"] == "disabled"


def test_the_showcases_deployments_are_there() -> None:
    found = {
        manifest["metadata"]["name"]: manifest["spec"].get("replicas", 1)
        for manifest in everything()
        if manifest["kind"] == "Deployment" and manifest["metadata"]["namespace"] == "apps"
    }
    assert found == {"goapi": 3, "text-to-speech": 1, "text-to-speech-canary": 1, "alpine": 1}


def test_the_showcases_services_have_their_ports() -> None:
    found = {
        manifest["metadata"]["name"]: [port["port"] for port in manifest["spec"]["ports"]]
        for manifest in everything()
        if manifest["kind"] == "Service" and manifest["metadata"]["namespace"] == "apps"
    }
    assert found == {"goapi": [80], "text-to-speech": [80], "alpine": [5000]}


def test_every_service_finds_pods() -> None:
    templates = [template["metadata"]["labels"] for _, template in pod_templates()]
    for manifest in everything():
        if manifest["kind"] == "Service":
            selector = manifest["spec"]["selector"].items()
            assert any(selector <= labels.items() for labels in templates), manifest["metadata"]["name"]


def test_client_and_responder_outside_are_of_one_image() -> None:
    images = {name: container["image"] for name, container in containers()}
    assert images["client/client"] == images["responder/responder"] == CATALOGUE.image("alpine").reference


# --- MetalLB


def test_the_pool_is_advertised_and_has_a_range_to_apply_as_it_stands() -> None:
    (addresses,) = one("IPAddressPool", "ip-pool", "metallb-system")["spec"]["addresses"]
    assert re.fullmatch(r"172\.18\.\d+\.\d+-172\.18\.\d+\.\d+", addresses)
    assert one("L2Advertisement", "metallb-ip-adv", "metallb-system")["spec"] == {"ipAddressPools": ["ip-pool"]}
