from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from meshproof.files import fixtures_folder
from meshproof.manifests import load_manifests
from meshproof.stack.helm_values import first_difference

FOLDER = fixtures_folder() / "manifests" / "datadog"
VALUES = yaml.safe_load((FOLDER / "overrides.yaml").read_text())
(AGENT,) = load_manifests([FOLDER / "datadog-agent.yaml"])


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    copied = copy.deepcopy(document)
    *outer, last = path.split("/")
    inner = copied
    for name in outer:
        inner = inner.setdefault(name, {})
    inner[last] = value
    return copied


def test_helm_and_operator_are_asked_for_the_same_agents() -> None:
    assert first_difference(VALUES, AGENT) is None


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("registry", "docker.io/datadog", "registry is 'docker.io/datadog'"),
        ("datadog/dd_url", None, "datadog.dd_url is None"),
        ("datadog/logs/containerCollectAll", False, "datadog.logs.containerCollectAll is False"),
        ("datadog/apm/portEnabled", False, "datadog.apm.portEnabled is False, spec.features.apm.enabled is True"),
        ("datadog/containerExcludeLogs", "", "DD_CONTAINER_EXCLUDE_LOGS of nodeAgent is '' by Helm"),
        ("datadog/containerExclude", "image:x", "DD_CONTAINER_EXCLUDE of nodeAgent is 'image:x' by Helm"),
        ("agents/podAnnotations", {}, "agents.podAnnotations.sidecar.istio.io/inject is None"),
        ("clusterAgent/env", [], "of clusterAgent is None by Helm"),
        ("clusterChecksRunner/resources/limits", {"cpu": "1"}, "clusterChecksRunner.resources.limits.cpu is '1'"),
        ("datadog/otlp", {"enabled": True}, "datadog.otlp.enabled is True and corresponds to nothing"),
    ],
)
def test_a_value_of_helms_that_differs_is_named(path: str, value: Any, named: str) -> None:
    assert named in str(first_difference(changed(VALUES, path, value), AGENT))


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("spec/global/site", "datadoghq.eu", "spec.global.site is 'datadoghq.eu'"),
        ("spec/global/env", [], "DD_AGENT_TELEMETRY_ENABLED of nodeAgent is 'false' by Helm, None by the operator"),
        ("spec/override/clusterAgent/image/tag", "7.1.0", "spec.override.clusterAgent.image.tag is '7.1.0'"),
        ("spec/features/orchestratorExplorer/ddUrl", "http://x", "ddUrl is 'http://x'"),
        ("spec/global/credentials/apiSecret/keyName", "key", "the chart always has 'api-key'"),
        ("spec/features/usm", {"enabled": True}, "spec.features.usm.enabled is True and corresponds to nothing"),
    ],
)
def test_a_field_of_the_operators_that_differs_is_named(path: str, value: Any, named: str) -> None:
    assert named in str(first_difference(VALUES, changed(AGENT, path, value)))


def test_a_delay_of_zero_that_the_operator_has_left_out_is_no_difference() -> None:
    stored = copy.deepcopy(AGENT)
    del stored["spec"]["override"]["clusterAgent"]["containers"]["cluster-agent"]["startupProbe"]["initialDelaySeconds"]
    assert first_difference(VALUES, stored) is None
    stored["spec"]["override"]["clusterAgent"]["containers"]["cluster-agent"]["startupProbe"]["initialDelaySeconds"] = (
        15
    )
    assert "initialDelaySeconds" in str(first_difference(VALUES, stored))
