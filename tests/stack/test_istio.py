from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_cluster import SmallCluster

from meshproof.errors import UsageError
from meshproof.stack import NotYet, StackContext
from meshproof.stack.istio import Istio, has_sidecar
from meshproof.timeline import Timeline

OWN = {"name": "own"}
PROXY = {"name": "istio-proxy"}
NATIVE = {"name": "istio-proxy", "restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("spec", "injected"),
    [
        ({"containers": [OWN, PROXY]}, True),
        ({"containers": [OWN], "initContainers": [{"name": "istio-init"}, NATIVE]}, True),
        ({"containers": [OWN]}, False),
        ({"containers": [OWN], "initContainers": [{"name": "istio-init"}]}, False),
        ({"containers": [OWN], "initContainers": [PROXY]}, False),
        ({"containers": [PROXY]}, False),
    ],
)
def test_a_sidecar_is_a_proxy_that_runs_beside_the_pods_own_containers(spec: dict[str, Any], injected: bool) -> None:
    assert has_sidecar({"spec": spec}) is injected


def run_install(context: StackContext) -> None:
    with Timeline().step("istio", group="stack") as step:
        Istio().install(context, step)


def test_istioctl_installs_the_plain_file_with_the_catalogues_images(
    context: StackContext, istioctl: Callable[[], list[str]]
) -> None:
    run_install(context)
    words = istioctl()[-1].split()
    assert words[:2] == ["install", "--skip-confirmation"]
    assert {"--set=hub=hub.example/istio", "--set=tag=9.9.9"} <= set(words)
    assert f"--filename={context.folder}/istio/istio-operator.yaml" in words


@pytest.mark.parametrize("from_source", [True, False])
def test_only_images_from_source_get_the_overlay_for_upstream_envoy(
    context: StackContext, istioctl: Callable[[], list[str]], from_source: bool
) -> None:
    run_install(replace(context, from_source=from_source))
    assert [("overlay-upstream-envoy.yaml" in call) for call in istioctl()] == [from_source, from_source]


def test_further_overlays_come_last(context: StackContext, istioctl: Callable[[], list[str]], tmp_path: Path) -> None:
    run_install(replace(context, istio_overlays=(tmp_path / "mine.yaml",)))
    files = [word for word in istioctl()[-1].split() if word.startswith("--filename")]
    assert files[-1] == f"--filename={tmp_path}/mine.yaml"


def test_what_istioctl_generates_carries_the_runs_label(
    small: SmallCluster, context: StackContext, istioctl: Callable[[], list[str]]
) -> None:
    run_install(context)
    made = small.objects["/api/v1/namespaces/istio-system/configmaps/istio"]
    assert made["metadata"]["labels"] == {"meshproof.dev/run": "run-1"}


def test_a_pod_that_is_not_injected_means_not_ready(context: StackContext, istioctl: Callable[[], list[str]]) -> None:
    with pytest.raises(NotYet, match="no sidecar"):
        Istio().ready(context)


def test_the_injection_probe_leaves_no_pod(
    small: SmallCluster, context: StackContext, istioctl: Callable[[], list[str]]
) -> None:
    with pytest.raises(NotYet):
        Istio().ready(context)
    assert not [path for path in small.objects if "/pods/" in path]


def test_an_old_jaeger_is_refused_with_the_command_that_removes_it(small: SmallCluster, context: StackContext) -> None:
    small.has(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "istio-tracing", "namespace": "istio-system"},
        }
    )
    with pytest.raises(UsageError, match="kubectl -n istio-system delete deployment istio-tracing"):
        Istio().check(context)


def test_a_borrowed_cluster_that_had_an_istio_is_refused(small: SmallCluster, borrowed: StackContext) -> None:
    small.has(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "istio-ca-root-cert", "namespace": "theirs", "labels": {"istio.io/config": "true"}},
        }
    )
    with pytest.raises(UsageError, match="theirs/istio-ca-root-cert"):
        Istio().check(borrowed)
