"""Metrics of the mesh's own containers stay out, and those of all others are there."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meshproof.datadog import Datadog
from meshproof.mesh import APPS, Mesh
from meshproof.observability.agent_settings import daemon_set
from meshproof.observability.filters import ContainerFilters, Product, containers_of
from meshproof.report.evidence import Evidence
from meshproof.waiting import StateNotReached, eventually

pytestmark = pytest.mark.looks_at("agents", "goapi")


def test_metrics_of_excluded_containers_stay_out(mesh: Mesh, datadog: Datadog, evidence: Evidence) -> None:
    """Memory is told of every running container that no list excludes, and of none that a list does."""
    filters, now = ContainerFilters.of_agent(daemon_set(mesh.cluster)), datetime.now(UTC)
    pods = mesh.cluster.list("Pod", api_version="v1")
    names = {pod.name for pod in datadog.agents()}
    # Not what agents with other lists told before; and only what has run for long enough to have been measured.
    began = max([now - timedelta(seconds=30), *(started(pod) for pod in pods if pod["metadata"]["name"] in names)])
    decisions = {
        (it.namespace, it.name): filters.decide(it, Product.METRICS)
        for pod in pods
        if pod["status"].get("phase") == "Running" and started(pod) < now - timedelta(seconds=60)
        for it in containers_of(pod)
        if it.name in {status["name"] for status in pod["status"].get("containerStatuses", [])}
    }
    included = {key for key, said in decisions.items() if said.included}
    query = "avg:kubernetes.memory.usage{*} by {kube_namespace,kube_container_name}"
    seen = set[tuple[str, str]]()

    def look() -> bool:
        tags = [dict(tag.split(":", 1) for tag in it.tags) for it in datadog.backend.metrics(query, began) if it.points]
        seen.update((it.get("kube_namespace", ""), it.get("kube_container_name", "")) for it in tags)
        return {*included, (APPS, "goapi")} <= seen

    with suppress(StateNotReached):
        eventually(look, timeout=datadog.deadline, what="metrics arrive", every=datadog.backend.poll_seconds)
    rows = [
        (*key, "in" if said.included else "out", said.because, key in seen) for key, said in sorted(decisions.items())
    ]
    evidence.table("containers", ("namespace", "container", "metrics", "because", "seen"), rows)
    assert (APPS, "goapi") in seen, f"no metric of {APPS}/goapi arrived; seen: {sorted(seen)[:5]}"
    assert included <= seen, f"no metrics of {sorted(included - seen)}"
    own = sorted(key for key in seen if key[0] in ("kube-system", "istio-system") or key[1] == "istio-proxy")
    assert not own, f"metrics of excluded containers arrived: {own}"
    excluded = sorted(key for key, said in decisions.items() if not said.included and key in seen)
    assert not excluded, f"metrics of excluded containers arrived: {excluded}"


def started(pod: dict[str, Any]) -> datetime:
    """When a pod's node took it up; now, where that is not told yet."""
    text = pod["status"].get("startTime")
    return datetime.fromisoformat(text) if text else datetime.now(UTC)
