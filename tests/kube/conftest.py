from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_server import ApiServer, kinds, write_kubeconfig

from meshproof.kube import Cluster
from meshproof.timeouts import Timeouts


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        server.answers["GET", "/api/v1"] = kinds(
            ("namespaces", "Namespace", False), ("configmaps", "ConfigMap", True), ("events", "Event", True)
        )
        server.answers["GET", "/apis/apiextensions.k8s.io/v1"] = kinds(
            ("customresourcedefinitions", "CustomResourceDefinition", False)
        )
        yield server


@pytest.fixture
def kubeconfig(api: ApiServer, tmp_path: Path) -> Path:
    return write_kubeconfig(tmp_path / "kubeconfig", api.url)


@pytest.fixture
def cluster(kubeconfig: Path) -> Iterator[Cluster]:
    with Cluster(kubeconfig, timeouts=Timeouts(kind_served=0.3, object_gone=0.3, api_request=5)) as cluster:
        yield cluster
