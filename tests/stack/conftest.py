from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from small_cluster import SmallCluster

from meshproof.kube import Cluster
from meshproof.settings import Settings
from meshproof.stack import StackContext
from meshproof.timeouts import Timeouts

TIMEOUTS = Timeouts(component_ready=0.5, load_balancer_address=0.3, object_gone=0.3, api_request=5, kind_served=0.1)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def small() -> Iterator[SmallCluster]:
    with SmallCluster() as small:
        yield small


@pytest.fixture
def context(small: SmallCluster, tmp_path: Path) -> Iterator[StackContext]:
    """A run on an owned cluster."""
    kubeconfig = small.write_kubeconfig(tmp_path / "kubeconfig")
    metallb = tmp_path / "metallb-native.yaml"
    metallb.write_text(METALLB)
    operator = tmp_path / "datadog-operator@v1.2.3"
    for name, text in OPERATOR.items():
        (operator / "config" / name).parent.mkdir(parents=True, exist_ok=True)
        (operator / "config" / name).write_text(text)
    with Cluster(kubeconfig, timeouts=TIMEOUTS) as cluster:
        yield StackContext(
            cluster=cluster,
            settings=Settings(timeouts=TIMEOUTS),
            run_id="run-1",
            kubeconfig=kubeconfig,
            istioctl=tmp_path / "istioctl",
            metallb_manifest=metallb,
            operator_manifests=operator,
            pool="10.0.0.10-10.0.0.20",
            istio_hub="hub.example/istio",
            istio_tag="9.9.9",
            from_source=True,
            ingress_node=True,
        )


@pytest.fixture
def borrowed(context: StackContext) -> StackContext:
    """The same run on a cluster that it was given."""
    return replace(context, settings=Settings(timeouts=TIMEOUTS, kubeconfig=context.kubeconfig))


@pytest.fixture
def istioctl(context: StackContext, tmp_path: Path) -> Callable[[], list[str]]:
    """A program in istioctl's place, which generates one object; gives the arguments of its runs, a line each."""
    calls = tmp_path / "calls"
    generated = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n"
    context.istioctl.write_text(f'#!/bin/sh\necho "$@" >> {calls}\ncat <<END\n{generated}END\n')
    context.istioctl.chmod(0o755)
    return lambda: calls.read_text().splitlines() if calls.exists() else []


OPERATOR = {
    f"crd/bases/v1/datadoghq.com_{plural}.yaml": f"""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.datadoghq.com}}
"""
    for plural in ("datadogagents", "datadogagentinternals", "datadogmonitors")
}
OPERATOR["rbac/role.yaml"] = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: manager-role}
rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: other-role, namespace: system}
"""

METALLB = """
apiVersion: v1
kind: Secret
metadata: {name: webhook-cert, namespace: metallb-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: controller, namespace: metallb-system}
spec:
  template:
    spec:
      containers:
        - {name: controller, image: "controller:1", livenessProbe: {initialDelaySeconds: 10, timeoutSeconds: 1}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: speaker, namespace: metallb-system}
spec: {template: {spec: {containers: [{name: speaker, image: "speaker:1"}]}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: metallb-webhook-configuration}
webhooks: [{clientConfig: {service: {name: webhook-service, namespace: metallb-system}}}]
"""
