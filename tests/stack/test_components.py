from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from small_cluster import SmallCluster

from meshproof.errors import UsageError
from meshproof.stack import NotYet, StackContext
from meshproof.stack.certificates import Authority
from meshproof.stack.gateway import Gateway, GatewayAddress
from meshproof.stack.metallb import AddressPool, MetalLB
from meshproof.stack.storage import Storage
from meshproof.timeline import Timeline

AUTHORITY = Authority.create("test")


def config_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def storage_class(name: str, **annotations: str) -> dict[str, Any]:
    metadata = {"name": name, "annotations": {f"storageclass.kubernetes.io/{k}": v for k, v in annotations.items()}}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": metadata,
        "provisioner": "example.com/disk",
    }


def of_kind(manifests: Any, kind: str) -> dict[str, Any]:
    (found,) = [manifest for manifest in manifests if manifest["kind"] == kind]
    return dict(found)


def test_metallbs_manifest_gets_a_startup_probe_and_a_patient_liveness_probe(context: StackContext) -> None:
    deployment = of_kind(MetalLB().manifests(context), "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["startupProbe"]["failureThreshold"] * container["startupProbe"]["periodSeconds"] == 120
    assert container["livenessProbe"] == {"initialDelaySeconds": 0, "timeoutSeconds": 5}
    assert container["image"] == "controller:1"


def test_metallbs_secrets_are_there_before_its_pods(small: SmallCluster, context: StackContext) -> None:
    with Timeline().step("metallb", group="stack") as step:
        MetalLB().install(context, step)
    paths = [path.rpartition("/")[2] for path in small.applied]
    assert paths.index("webhook-cert") < paths.index("controller")
    assert paths.index("memberlist") < paths.index("speaker")
    secret = small.objects["/api/v1/namespaces/metallb-system/secrets/webhook-cert"]
    assert set(secret["data"]) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    assert base64.b64decode(secret["data"]["ca.crt"]).startswith(b"-----BEGIN CERTIFICATE")


def test_a_second_installation_keeps_the_secrets(small: SmallCluster, context: StackContext) -> None:
    for _ in range(2):
        with Timeline().step("metallb", group="stack") as step:
            MetalLB().install(context, step)
    for name in ("webhook-cert", "memberlist"):
        assert small.applied.count(f"/api/v1/namespaces/metallb-system/secrets/{name}") == 1


def test_the_pool_has_this_clusters_addresses(context: StackContext) -> None:
    pool = of_kind(AddressPool(MetalLB()).manifests(context), "IPAddressPool")
    assert pool["spec"]["addresses"] == ["10.0.0.10-10.0.0.20"]


def test_ipvs_without_strict_arp_is_refused(small: SmallCluster, context: StackContext) -> None:
    small.has(config_map("kube-system", "kube-proxy", **{"config.conf": "mode: ipvs\nipvs: {strictARP: false}"}))
    with pytest.raises(UsageError, match="strictARP"):
        MetalLB().check(context)


@pytest.mark.parametrize("config", ["mode: ipvs\nipvs: {strictARP: true}", "mode: iptables", "mode: ''", ""])
def test_other_kube_proxies_are_fine(small: SmallCluster, context: StackContext, config: str) -> None:
    small.has(config_map("kube-system", "kube-proxy", **{"config.conf": config}))
    MetalLB().check(context)


def test_the_gateway_stays_on_the_ingress_node_where_there_is_one(context: StackContext) -> None:
    affinity = _node_affinity(context)
    assert "requiredDuringSchedulingIgnoredDuringExecution" in affinity


def test_the_gateway_may_run_anywhere_without_an_ingress_node(context: StackContext) -> None:
    affinity = _node_affinity(replace(context, ingress_node=False))
    assert list(affinity) == ["preferredDuringSchedulingIgnoredDuringExecution"]


def _node_affinity(context: StackContext) -> dict[str, Any]:
    deployment = of_kind(Gateway(AUTHORITY).manifests(context), "Deployment")
    return dict(deployment["spec"]["template"]["spec"]["affinity"]["nodeAffinity"])


def service(**status: Any) -> dict[str, Any]:
    metadata = {"name": "istio-ingressgateway", "namespace": "istio-system"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "status": {"loadBalancer": status}}


def test_a_gateway_without_an_address_is_not_ready(small: SmallCluster, context: StackContext) -> None:
    small.has(service())
    with pytest.raises(NotYet, match="has no address"):
        GatewayAddress(AUTHORITY).ready(context)


def test_a_gateway_that_does_not_answer_is_not_ready(small: SmallCluster, context: StackContext) -> None:
    small.has(service(ingress=[{"ip": "127.0.0.254"}]))
    with pytest.raises(NotYet, match=r"http://127\.0\.0\.254/ does not answer from here"):
        GatewayAddress(AUTHORITY).ready(context)


@pytest.mark.parametrize(("ip", "host"), [("10.0.0.10", "10.0.0.10"), ("fd00::10", "[fd00::10]")])
def test_the_address_is_given_as_a_urls_host(small: SmallCluster, context: StackContext, ip: str, host: str) -> None:
    small.has(service(ingress=[{"ip": ip}]))
    assert GatewayAddress(AUTHORITY).address(context) == host


def test_the_default_storage_class_is_named(small: SmallCluster, context: StackContext) -> None:
    small.has(storage_class("slow"), storage_class("standard", **{"is-default-class": "true"}))
    assert Storage().summary(context) == "StorageClass standard"


def test_a_cluster_without_a_default_storage_class_is_refused(small: SmallCluster, context: StackContext) -> None:
    small.has(storage_class("slow", **{"is-default-class": "false"}))
    with pytest.raises(UsageError, match="no default StorageClass") as caught:
        Storage().check(context)
    assert caught.value.seen == "slow"
