from __future__ import annotations

from typing import Any

import httpx
import pytest
from small_cluster import SmallCluster

from meshproof.stack import NotYet, StackContext
from meshproof.stack.foundations import (
    ClusterDns,
    Definitions,
    Namespaces,
    ServiceNetwork,
    has_rules,
    restart_early_pods,
)
from meshproof.stack.metallb import MetalLB
from meshproof.timeline import Timeline

SYNCED = {"healthy": True, "status": {"IPv4": {"healthy": True}}}


def pod(name: str, started: str | None, namespace: str = "storage", **labels: str) -> dict[str, Any]:
    state = {"running": {"startedAt": started}} if started else {"waiting": {"reason": "ContainerCreating"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "status": {"containerStatuses": [{"name": "c", "state": state}]},
    }


def kube_proxy(started: str) -> dict[str, Any]:
    return pod("kube-proxy-1", started, "kube-system", **{"k8s-app": "kube-proxy"})


def daemon_set(available: int) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "kube-proxy", "namespace": "kube-system"},
        "spec": {"selector": {"matchLabels": {"k8s-app": "kube-proxy"}}},
        "status": {
            "observedGeneration": 1,
            "desiredNumberScheduled": 1,
            "updatedNumberScheduled": 1,
            "numberAvailable": available,
        },
    }


@pytest.mark.parametrize(
    ("code", "health", "written"),
    [
        (200, SYNCED, True),
        (200, {"healthy": True}, False),
        (200, {"lastUpdated": "2026-11-21T11:31:12Z"}, True),
        (503, {**SYNCED, "healthy": False}, False),
    ],
)
def test_kube_proxys_health_tells_whether_its_rules_are_written(
    code: int, health: dict[str, Any], written: bool
) -> None:
    assert has_rules(httpx.Response(code, json=health)) is written


def test_a_kube_proxy_that_does_not_run_is_waited_for(small: SmallCluster, context: StackContext) -> None:
    small.has(daemon_set(available=0))
    with pytest.raises(NotYet, match="kube-system/kube-proxy: 0 of 1 pods available"):
        ServiceNetwork().ready(context)


def test_a_cluster_without_kube_proxy_is_taken_at_its_word(context: StackContext) -> None:
    ServiceNetwork().ready(context)
    assert ServiceNetwork().summary(context) == "not kube-proxy"


def test_what_was_started_before_the_rules_starts_anew(small: SmallCluster, context: StackContext) -> None:
    small.has(
        kube_proxy("2026-11-21T11:31:11Z"),
        pod("early", "2026-11-21T11:31:12Z"),
        pod("late", "2026-11-21T11:31:14Z"),
        pod("not-started", None),
        pod("elsewhere", "2026-11-21T11:31:10Z", "other"),
    )
    assert restart_early_pods(context, "storage") == 1
    left = {path.rpartition("/")[2] for path in small.objects}
    assert left == {"kube-proxy-1", "late", "not-started", "elsewhere"}


def test_nothing_starts_anew_without_kube_proxy(small: SmallCluster, context: StackContext) -> None:
    small.has(pod("early", "2026-11-21T11:31:12Z"))
    assert restart_early_pods(context, "storage") == 0


def test_dns_starts_anew_in_a_cluster_of_our_own(small: SmallCluster, context: StackContext) -> None:
    path = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
    small.has(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "coredns", "namespace": "kube-system"}}
    )
    with Timeline().step("dns", group="stack") as step:
        ClusterDns().install(context, step)
    (container,) = small.objects[path]["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"] == {"periodSeconds": 1}


def test_a_cluster_with_another_dns_is_left_alone(small: SmallCluster, context: StackContext) -> None:
    with Timeline().step("dns", group="stack") as step:
        ClusterDns().install(context, step)
    ClusterDns().ready(context)
    assert small.applied == []


def test_a_borrowed_clusters_dns_is_not_touched(borrowed: StackContext) -> None:
    assert list(ClusterDns().objects(borrowed)) == []


def test_definitions_are_the_crds_of_the_components(context: StackContext) -> None:
    crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: pools.example.com}\n"
    context.metallb_manifest.write_text(f"{context.metallb_manifest.read_text()}---\n{crd}")
    (found,) = Definitions("CRDs", [MetalLB()]).manifests(context)
    assert found["metadata"]["name"] == "pools.example.com"


def test_namespaces_come_first_and_apps_are_injected(context: StackContext) -> None:
    namespaces = {item["metadata"]["name"]: item for item in Namespaces().manifests(context)}
    assert set(namespaces) == {"apps", "datadog", "istio-system", "outside"}
    assert namespaces["apps"]["metadata"]["labels"]["istio-injection"] == "enabled"
    assert namespaces["outside"]["metadata"]["labels"]["istio-injection"] == "disabled"
