"""A run's results on their way to Datadog, with its official client: to the account, or to the run's own intake."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from datadog_api_client.v1.api.events_api import EventsApi
from datadog_api_client.v1.api.service_checks_api import ServiceChecksApi
from datadog_api_client.v1.model.event_create_request import EventCreateRequest
from datadog_api_client.v1.model.service_check import ServiceCheck
from datadog_api_client.v1.model.service_checks import ServiceChecks
from datadog_api_client.v2.api.metrics_api import MetricsApi
from datadog_api_client.v2.model.metric_payload import MetricPayload

from meshproof.bed import engine as engines
from meshproof.bed import namespace
from meshproof.bed.ownership import Records, RunState
from meshproof.datadog import ENV, intake_of
from meshproof.errors import UsageError
from meshproof.intake.backend import Backend
from meshproof.keys import site_of
from meshproof.kube import Cluster
from meshproof.report.measures import CHECK, measures, tags_of, told
from meshproof.report.runs import Run, read_run
from meshproof.settings import Settings

__all__ = ["Sent", "expect_recent", "has_account", "send", "send_to_account", "send_to_cluster", "send_to_kept"]

_GAUGE = 3
_OLDEST = timedelta(hours=1)
"""Datadog drops what is older without a word."""
_PATIENCE = 30.0
# The client is annotated in parts only.
_MetricsApi: Any = MetricsApi
_EventsApi: Any = EventsApi
_ServiceChecksApi: Any = ServiceChecksApi
_MetricPayload: Any = MetricPayload
_EventCreateRequest: Any = EventCreateRequest
_ServiceCheck: Any = ServiceCheck
_ServiceChecks: Any = ServiceChecks


@dataclass(frozen=True)
class Sent:
    """What was accepted, and by whom."""

    run: str
    to: str
    metrics: int
    status: int

    def __str__(self) -> str:
        word = ("ok", "warning", "critical", "unknown")[self.status]
        return f"sent to {self.to}: {self.metrics} metrics, an event, and {CHECK} {word} of run {self.run}"


def has_account(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether an API key is there to send to Datadog with."""
    return bool(environment.get("DD_API_KEY", "").strip())


def send_to_account(folder: Path, environment: Mapping[str, str] = os.environ) -> Sent:
    """Send a run's folder with DD_API_KEY to DD_DD_URL or DD_SITE. Raises UsageError; MeshproofError."""
    backend = Backend.for_sending(environment, patience=_PATIENCE)
    try:
        to = environment.get("DD_DD_URL") or site_of(environment)
        return send(read_run(folder), backend, to=to, env=environment.get("DD_ENV") or ENV)
    finally:
        backend.close()


def send_to_cluster(folder: Path, cluster: Cluster) -> Sent:
    """Send a run's folder to the intake of its cluster. Raises InvalidMeasurement; MeshproofError."""
    with intake_of(cluster) as (address, keys):
        backend = Backend.of_intake(f"http://{address}", keys.api, patience=_PATIENCE)
        try:
            return send(read_run(folder), backend, to="the cluster's intake", env=os.environ.get("DD_ENV") or ENV)
        finally:
            backend.close()


def send_to_kept(folder: Path, settings: Settings) -> Sent:
    """Send a run's folder to the intake of the kept cluster that the settings name.

    Raises UsageError when there is none.
    """
    kept = [r for r in Records(settings.state) if r.cluster_name == settings.cluster_name and r.state is RunState.KEPT]
    known = [engine for engine in (engines.find_running(settings), engines.OwnEngine.of(settings)) if engine]
    hosts = {record.engine_host for record in kept}
    engine = next((engine for engine in known if engine.host in hosts and engine.answers()), None)
    if engine is None:
        raise UsageError(
            f"there is nowhere to send to: no DD_API_KEY, and no kept cluster {settings.cluster_name} with an intake",
            remedy="set DD_API_KEY (DD_SITE or DD_DD_URL for another place), or send while the mesh stands: "
            "tox -e e2e -- --send-results",
        )
    kubeconfig = settings.state / "clusters" / settings.cluster_name / "kubeconfig"
    with namespace.entered(engine.namespace), Cluster(kubeconfig, timeouts=settings.timeouts) as cluster:
        return send_to_cluster(folder, cluster)


def send(run: Run, backend: Backend, *, to: str, env: str, clock: Callable[[], float] = time.time) -> Sent:
    """Metrics first, then the event and the service check: who sees these finds the figures there.

    Raises MeshproofError when they are refused.
    """
    now = int(clock())
    tags, points, words = tags_of(run, env), measures(run), told(run)
    host = str(run.results.facts.get("cluster") or "meshproof")
    series = [
        {
            "metric": point.name,
            "type": _GAUGE,
            "points": [{"timestamp": now, "value": float(point.value)}],
            "tags": [*tags, *point.tags],
            **({"unit": point.unit} if point.unit else {}),
        }
        for point in points
    ]
    backend.asked(_MetricsApi(backend.client).submit_metrics, "the metrics", body=_MetricPayload(series=series))
    event = _EventCreateRequest(
        title=words.title,
        text=words.text,
        tags=tags,
        alert_type=words.alert,
        aggregation_key=run.name[:100],
        host=host,
        date_happened=now,
        source_type_name="my_apps",
    )
    backend.asked(_EventsApi(backend.client).create_event, "the event", body=event)
    check = _ServiceCheck(
        check=CHECK, host_name=host, status=words.status, tags=tags, message=words.text[:500], timestamp=now
    )
    backend.asked(
        _ServiceChecksApi(backend.client).submit_service_check, "the service check", body=_ServiceChecks([check])
    )
    return Sent(run.name, to, len(points), words.status)


def expect_recent(folder: Path, clock: Callable[[], float] = time.time) -> None:
    """Raises UsageError when the run ended longer ago than Datadog takes figures for."""
    run = read_run(folder)
    if run.began is None:
        return
    lasted = float(run.timeline.get("seconds") or 0) + sum(check.seconds for check in run.results.checks)
    age = datetime.fromtimestamp(clock(), UTC) - run.began - timedelta(seconds=lasted)
    if age > _OLDEST:
        raise UsageError(
            f"run {run.name} ended too long ago to be sent",
            seen=f"{age.total_seconds() / 3600:.1f} hours",
            remedy="send within an hour after a run: Datadog takes no older figures",
        )
