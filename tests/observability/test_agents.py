"""The agents' objects are compared with what their DatadogAgent says."""

from __future__ import annotations

import copy

import pytest
import yaml

from meshproof.files import fixtures_folder
from meshproof.manifests import load_manifests
from meshproof.observability.agents import (
    container_lists,
    differing_annotations,
    differing_env,
    differing_lists,
    mixed_exclusions,
    policies_in_the_way,
    wanted_annotations,
    wanted_env,
)

AGENT = {
    "spec": {
        "global": {"env": [{"name": "DD_ENV", "value": "meshproof"}, {"name": "DD_X", "value": "global"}]},
        "override": {
            "nodeAgent": {
                "annotations": {"sidecar.istio.io/inject": "false"},
                "env": [
                    {"name": "DD_X", "value": "own"},
                    {"name": "DD_KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                ],
            }
        },
    }
}
LABELS = {"agent.datadoghq.com/component": "agent", "app": "datadog"}


def daemon_set(*env, container="agent"):
    entries = [{"name": name, "value": value} for name, value in env]
    pod = {"containers": [{"name": container, "env": entries}]}
    return {"metadata": {"name": "datadog-agent"}, "spec": {"template": {"spec": pod}}}


def policy(*ingress, labels=None, types=("Ingress",)):
    spec = {"podSelector": {"matchLabels": labels or {}}, "policyTypes": list(types), "ingress": list(ingress)}
    return {"metadata": {"name": "deny"}, "spec": spec}


def test_a_components_own_variables_go_over_the_global_ones():
    assert wanted_env(AGENT, "nodeAgent") == {"DD_ENV": "meshproof", "DD_X": "own"}
    assert wanted_env(AGENT, "clusterAgent") == {"DD_ENV": "meshproof", "DD_X": "global"}
    assert wanted_annotations(AGENT, "clusterAgent") == {}


def test_the_shipped_agent_asks_for_no_sidecars_and_excludes_what_the_charts_values_do():
    folder = fixtures_folder() / "manifests" / "datadog"
    (agent,) = load_manifests([folder / "datadog-agent.yaml"])
    for component in ("nodeAgent", "clusterAgent", "clusterChecksRunner"):
        assert wanted_annotations(agent, component) == {"sidecar.istio.io/inject": "false"}
    assert wanted_env(agent, "nodeAgent")["DD_ENV"] == "meshproof"
    values = yaml.safe_load((folder / "overrides.yaml").read_text())
    assert set(container_lists(agent)) >= {"DD_CONTAINER_EXCLUDE_LOGS", "DD_CONTAINER_INCLUDE_LOGS"}
    assert differing_lists(container_lists(values), container_lists(agent)) == []


def test_variables_that_differ_are_told():
    wanted = {"DD_ENV": "meshproof", "DD_X": "own"}
    assert differing_env(daemon_set(("DD_ENV", "meshproof"), ("DD_X", "own"), ("DD_Y", "more")), wanted) == []
    assert differing_env(daemon_set(("DD_X", "other")), wanted) == [
        "datadog-agent, container agent: DD_ENV is 'not set', not 'meshproof'",
        "datadog-agent, container agent: DD_X is 'other', not 'own'",
    ]


@pytest.mark.parametrize("has", [{}, {"annotations": None}, {"annotations": {"sidecar.istio.io/inject": "true"}}])
def test_an_annotation_that_differs_is_told(has):
    (finding,) = differing_annotations("pod x", has, {"sidecar.istio.io/inject": "false"})
    assert finding.startswith("pod x: annotation sidecar.istio.io/inject is ")


def test_a_global_list_beside_one_of_a_product_is_told():
    mixed = daemon_set(("DD_CONTAINER_EXCLUDE", "name:x"), ("DD_CONTAINER_INCLUDE_LOGS", "name:y"))
    assert mixed_exclusions(mixed) == [
        "datadog-agent, container agent mixes DD_CONTAINER_EXCLUDE, DD_CONTAINER_INCLUDE_LOGS"
    ]
    assert mixed_exclusions(daemon_set(("DD_CONTAINER_EXCLUDE", "name:x"))) == []
    assert mixed_exclusions(daemon_set(("DD_CONTAINER_EXCLUDE_LOGS", "name:x"))) == []


def test_lists_are_read_from_values_and_from_workloads():
    values = {
        "datadog": {"containerExcludeLogs": "image:a kube_namespace:b", "env": [{"name": "DD_ENV", "value": "x"}]}
    }
    rendered = daemon_set(("DD_CONTAINER_EXCLUDE_LOGS", "kube_namespace:b  image:a"), ("DD_ENV", "y"))
    assert differing_lists(container_lists(values), container_lists(rendered)) == []
    other = copy.deepcopy(rendered)
    other["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = "image:a"
    assert differing_lists(container_lists(values), container_lists(other)) == [
        "DD_CONTAINER_EXCLUDE_LOGS: only the first has ['kube_namespace:b'], only the second has []"
    ]


@pytest.mark.parametrize(
    ("policies", "stops"),
    [
        ([], False),
        ([policy()], True),
        ([policy(types=["Egress"])], False),
        ([policy(labels={"app": "other"})], False),
        ([policy(labels={"app": "datadog"})], True),
        ([policy({"ports": [{"port": 8126}]})], False),
        ([policy({"ports": [{"port": 8125}]})], True),
        ([policy({"from": [{"podSelector": {}}], "ports": [{"port": 8126}]})], True),
        ([policy(), policy({})], False),
    ],
)
def test_policies_that_keep_the_port_closed_are_told(policies, stops):
    assert bool(policies_in_the_way(policies, LABELS, 8126)) is stops
