"""The apps' manifests agree with the apps, with the catalogue of images and with each other."""

from __future__ import annotations

import re
from typing import Any

import pytest
from app_manifests import MANIFESTS, container, environment, objects, template
from app_process import APPS

from meshproof.bed.images import load_catalogue
from meshproof.bed.images.dockerfile import read_dockerfile

ROOT = APPS.parents[1]
NAMES = ("alpine", "goapi", "text-to-speech", "text-to-speech-canary")


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = template(name)["spec"]
    return spec


def test_namespace_comes_first_and_is_injected() -> None:
    assert MANIFESTS[0]["kind"] == "Namespace"
    assert MANIFESTS[0]["metadata"]["labels"] == {"istio-injection": "enabled"}
    assert {manifest["metadata"].get("namespace", "") for manifest in MANIFESTS[1:]} == {"apps"}


def test_each_app_has_an_identity_of_its_own() -> None:
    assert {name: pod(name)["serviceAccountName"] for name in objects("Deployment")} == {name: name for name in NAMES}
    assert objects("ServiceAccount").keys() == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_image_is_the_catalogues(name: str) -> None:
    assert container(name)["image"] == load_catalogue(ROOT).image(name).reference
    assert container(name)["imagePullPolicy"] == "IfNotPresent"


@pytest.mark.parametrize("name", NAMES)
def test_dockerfile_can_be_built_from_source_and_exposes_the_port(name: str) -> None:
    recipe = read_dockerfile(APPS / name / "Dockerfile", load_catalogue(ROOT).debian)
    (port,) = container(name)["ports"]
    assert port["name"] == "http"
    assert f"EXPOSE {port['containerPort']}" in recipe.final


@pytest.mark.parametrize("name", NAMES)
def test_selectors_find_their_pods(name: str) -> None:
    deployment = objects("Deployment")[name]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert labels.items() <= deployment["metadata"]["labels"].items()
    service = objects("Service")[labels["app"]]
    assert service["spec"]["selector"] == {"app": labels["app"]}
    assert service["spec"]["ports"][0]["name"] == "http"


def test_both_versions_of_text_to_speech_share_claim_and_node() -> None:
    for name, version in (("text-to-speech", "v1"), ("text-to-speech-canary", "v2")):
        (volume,) = pod(name)["volumes"]
        assert volume["persistentVolumeClaim"]["claimName"] == "text-to-speech"
        (term,) = pod(name)["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["labelSelector"]["matchLabels"] == {"app": "text-to-speech"}
        assert objects("Deployment")[name]["metadata"]["labels"]["version"] == version


@pytest.mark.parametrize("name", NAMES)
def test_datadog_knows_the_pods_by_the_names_of_their_spans(name: str) -> None:
    labels = template(name)["metadata"]["labels"]
    tags = {key: labels[f"tags.datadoghq.com/{key}"] for key in ("env", "service", "version")}
    assert tags["env"] == "meshproof"
    assert tags["service"] == labels["app"]
    given = environment(name)
    assert {key: given[f"DD_{key.upper()}"] for key in tags} == tags


@pytest.mark.parametrize("name", NAMES)
def test_what_the_tracer_sends_passes_by_the_sidecar(name: str) -> None:
    port = environment(name)["DD_TRACE_AGENT_PORT"]
    annotations = template(name)["metadata"]["annotations"]
    assert annotations["traffic.sidecar.istio.io/excludeOutboundPorts"] == port


def test_goapi_may_touch_its_configmap_and_nothing_else() -> None:
    (rule,) = objects("Role")["goapi"]["rules"]
    (configmap,) = objects("ConfigMap")
    assert (rule["resources"], rule["resourceNames"], set(rule["verbs"])) == (
        ["configmaps"],
        [configmap],
        {"get", "update"},
    )
    assert "data" not in objects("ConfigMap")[configmap], "applying the manifest again would empty the shelf"


def test_requirements_are_exact() -> None:
    lines = (APPS / "text-to-speech-canary" / "requirements.txt").read_text().splitlines()
    wanted = [line for line in lines if not line.startswith("#")]
    assert wanted and all(re.fullmatch(r"[a-z0-9_]+==[0-9.]+", line) for line in wanted)
