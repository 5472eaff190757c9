"""The model of the agent's container filters, by what Datadog's own tests and issues say of the agent."""

from __future__ import annotations

import pytest

from meshproof.errors import InvalidMeasurement
from meshproof.observability.filters import Container, ContainerFilters, Product, containers_of

PROXY = "docker.io/istio/proxyv2:1.31.0"
LISTS = {
    "DD_CONTAINER_EXCLUDE_LOGS": (
        "image:docker.io/istio/proxyv2 kube_namespace:kube-system kube_namespace:istio-system "
        "kube_namespace:kube-public\tkube_namespace:default"
    ),
    "DD_CONTAINER_INCLUDE_LOGS": "image:docker.io/meshproof/included",
}


def container(namespace="apps", image="docker.io/meshproof/goapi:1.0.0", name="goapi", **annotations):
    return Container(namespace, "pod", name, image, annotations)


def logs(environment, version="7.84.1", **of):
    return ContainerFilters(environment, version).decide(container(**of), Product.LOGS)


@pytest.mark.parametrize(
    ("namespace", "image", "included", "because"),
    [
        ("apps", "docker.io/meshproof/goapi:1.0.0", True, "no list names it"),
        ("apps", PROXY, False, "image:docker.io/istio/proxyv2 of DD_CONTAINER_EXCLUDE_LOGS"),
        ("kube-system", "x", False, "kube_namespace:kube-system"),
        ("default", "x", False, "kube_namespace:default"),
        ("istio-system-2", "x", False, "without ^ and $ is found in longer names"),
        ("my-default-team", "x", False, "without ^ and $ is found in longer names"),
        ("kube-publi", "x", True, "no list names it"),
        ("default", "docker.io/meshproof/included:1.0.0", True, "inclusions come before exclusions"),
    ],
)
def test_the_lists_of_the_showcase(namespace, image, included, because):
    decision = logs(LISTS, namespace=namespace, image=image)
    assert decision.included is included
    assert because in decision.because


def test_the_whole_name_is_no_longer_name():
    assert "longer names" not in logs(LISTS, namespace="istio-system").because


def test_logs_lists_say_nothing_about_metrics():
    decision = ContainerFilters(LISTS, "7.84.1").decide(container(namespace="kube-system"), Product.METRICS)
    assert decision.included


def test_an_image_is_compared_as_the_pod_has_it():
    assert logs({"DD_CONTAINER_EXCLUDE_LOGS": "image:^docker.io/"}, image="istio/proxyv2:1").included


def test_a_name_is_the_containers():
    environment = {"DD_CONTAINER_EXCLUDE_LOGS": "name:^goapi$"}
    assert not logs(environment, name="goapi").included
    assert logs(environment, name="goapi-2").included


def test_what_is_excluded_for_everything_no_product_list_brings_back():
    environment = {"DD_CONTAINER_EXCLUDE": "kube_namespace:apps", "DD_CONTAINER_INCLUDE_LOGS": "name:goapi"}
    decision = logs(environment)
    assert not decision.included
    assert "bring it back" in decision.because


def test_inclusion_for_everything_beats_exclusion_for_everything():
    environment = {"DD_CONTAINER_EXCLUDE": "name:.*", "DD_CONTAINER_INCLUDE": "kube_namespace:^apps$"}
    assert logs(environment).included
    assert not logs(environment, namespace="other").included


def test_the_oldest_names_count_only_where_the_newer_ones_are_empty():
    old = {"DD_AC_EXCLUDE": "name:goapi"}
    assert not logs(old).included
    assert logs({**old, "DD_CONTAINER_EXCLUDE": "name:other"}).included


@pytest.mark.parametrize(
    ("version", "included"), [("7.68.3", False), ("7.69.0", True), ("7.72.4", True), ("7.73.0", False)]
)
def test_in_some_versions_an_inclusion_for_everything_undid_exclusions_of_logs(version, included):
    environment = {"DD_CONTAINER_INCLUDE": "kube_namespace:apps", "DD_CONTAINER_EXCLUDE_LOGS": "name:^istio-proxy$"}
    assert logs(environment, version, name="istio-proxy").included is included


def test_metrics_of_the_core_use_one_list_made_of_both():
    environment = {"DD_CONTAINER_EXCLUDE": "name:goapi", "DD_CONTAINER_INCLUDE_METRICS": "kube_namespace:apps"}
    assert ContainerFilters(environment, "7.84.1").decide(container(), Product.METRICS).included


@pytest.mark.parametrize(
    ("expression", "image", "version", "included"),
    [
        ("istio/proxyv2$", PROXY, "7.84.1", False),
        ("istio/proxyv2$", PROXY, "7.62.0", True),
        ("^docker.io/istio/proxyv2$", "docker.io/istio/proxyv2@sha256:abc", "7.84.1", False),
        ("^docker.io/istio/proxyv2$", "docker.io/istio/proxyv2", "7.84.1", False),
        ("^localhost:5000/x$", "localhost:5000/x:1", "7.84.1", True),
    ],
)
def test_an_image_expression_that_ends_in_a_dollar_stands_for_all_tags(expression, image, version, included):
    assert logs({"DD_CONTAINER_EXCLUDE_LOGS": f"image:{expression}"}, version, image=image).included is included


@pytest.mark.parametrize(
    ("version", "entry", "proxy_included", "other_included"),
    [
        ("7.84.1", "name:(?!x)", False, True),
        ("7.84.1", "pod:goapi", False, True),
        ("7.70.0", "name:(?!x)", True, True),
        ("7.70.0", "pod:goapi", True, True),
        ("7.60.0", "name:(?!x)", True, True),
        ("7.60.0", "pod:goapi", False, True),
    ],
)
def test_bad_entries_do_what_the_version_makes_of_them(version, entry, proxy_included, other_included):
    filters = ContainerFilters({"DD_CONTAINER_EXCLUDE_LOGS": f"{entry} name:istio-proxy"}, version)
    assert filters.bad_entries == [entry]
    assert filters.decide(container(name="istio-proxy"), Product.LOGS).included is proxy_included
    assert filters.decide(container(), Product.LOGS).included is other_included


def test_the_other_list_survives_a_bad_entry_from_7_69_on():
    lists = {"DD_CONTAINER_INCLUDE_LOGS": "name:[", "DD_CONTAINER_EXCLUDE_LOGS": "name:goapi"}
    assert not logs(lists, "7.70.0").included
    assert logs(lists, "7.60.0").included


@pytest.mark.parametrize(
    ("annotation", "value", "included"),
    [
        ("ad.datadoghq.com/exclude", "true", False),
        ("ad.datadoghq.com/logs_exclude", "T", False),
        ("ad.datadoghq.com/goapi.logs_exclude", "1", False),
        ("ad.datadoghq.com/other.logs_exclude", "1", True),
        ("ad.datadoghq.com/metrics_exclude", "true", True),
        ("ad.datadoghq.com/exclude", "yes", True),
    ],
)
def test_annotations_come_before_inclusions(annotation, value, included):
    decision = logs({"DD_CONTAINER_INCLUDE_LOGS": "name:goapi"}, **{annotation: value})
    assert decision.included is included


def test_a_daemon_set_gives_lists_and_version():
    env = [{"name": "DD_CONTAINER_EXCLUDE_LOGS", "value": "name:goapi"}, {"name": "DD_KEY", "valueFrom": {}}]
    agent = {"name": "agent", "image": "gcr.io/datadoghq/agent:7.71.2", "env": env}
    filters = ContainerFilters.of_agent(
        {"spec": {"template": {"spec": {"containers": [{"name": "trace-agent"}, agent]}}}}
    )
    assert filters.version == (7, 71)
    assert not filters.decide(container(), Product.LOGS).included


def test_a_version_that_cannot_be_read_is_no_guess():
    with pytest.raises(InvalidMeasurement, match="version"):
        ContainerFilters({}, "latest")


def test_all_containers_of_a_pod_are_looked_at():
    spec = {
        "initContainers": [{"name": "istio-init", "image": PROXY}],
        "containers": [{"name": "goapi", "image": "g:1"}],
    }
    pod = {"metadata": {"name": "p", "namespace": "apps", "annotations": {"a": "b"}}, "spec": spec}
    found = containers_of(pod)
    assert [it.key for it in found] == [("apps", "p", "istio-init"), ("apps", "p", "goapi")]
    assert (found[0].image, dict(found[1].annotations)) == (PROXY, {"a": "b"})
