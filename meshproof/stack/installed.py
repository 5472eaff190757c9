"""The record of what was installed, kept in the cluster itself, so that a later run can tell that the stack stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from meshproof.kube import Cluster
from meshproof.labels import RUN_LABEL
from meshproof.manifests import Manifest
from meshproof.moments import seconds

__all__ = ["RECORD_NAMESPACE", "Installed", "describe", "forget", "record"]

RECORD_NAMESPACE = "meshproof-system"
_NAME = "meshproof"
_COMPLETE = "complete"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Installed:
    """A stack that stands."""

    run_id: str
    versions: Mapping[str, str]
    """By part: kubernetes, istio, metallb, meshproof; datadog-operator and datadog-agent since they are installed."""
    content: str
    """The hash of the manifests, as StackContext.content() gives it."""
    pool: str
    gateway_address: str
    """As the host of a URL."""
    gateway_authority: str
    """The certificate, PEM, that the gateway's port 443 can be verified with."""
    installed_at: str = field(default_factory=_now)
    woken_at: str = ""
    """When all stood again after a kept cluster's nodes had been started anew, the last time; "" if they never were."""

    @property
    def stands_since(self) -> float:
        """Since when all stands, in seconds since 1970."""
        return seconds(self.woken_at or self.installed_at)

    def woken_now(self) -> Installed:
        """The same stack, which stands again since now."""
        return replace(self, woken_at=_now())


def record(cluster: Cluster, run_id: str, installed: Installed | None) -> None:
    """Write down what was installed; None at the beginning: it is being installed."""
    data = {"state": "installing", "run_id": run_id}
    if installed is not None:
        data = {
            "state": _COMPLETE,
            "run_id": installed.run_id,
            "versions": json.dumps(dict(installed.versions), sort_keys=True),
            "content": installed.content,
            "pool": installed.pool,
            "gateway_address": installed.gateway_address,
            "gateway_authority": installed.gateway_authority,
            "installed_at": installed.installed_at,
            "woken_at": installed.woken_at,
        }
    cluster.apply([_namespace(), {**_config_map(), "data": data}], labels={RUN_LABEL: run_id})


def describe(cluster: Cluster) -> Installed | None:
    """The stack that stands in the cluster; None when there is none, or when its installation did not end well."""
    found = cluster.get("ConfigMap", _NAME, RECORD_NAMESPACE, "v1")
    data = dict((found or {}).get("data") or {})
    if data.pop("state", None) != _COMPLETE:
        return None
    return Installed(**{**data, "versions": json.loads(data["versions"])})


def forget(cluster: Cluster, run_id: str) -> None:
    """Remove the record, if it is that run's."""
    found = cluster.get("ConfigMap", _NAME, RECORD_NAMESPACE, "v1")
    if ((found or {}).get("data") or {}).get("run_id") == run_id:
        cluster.delete([_namespace()])


def _namespace() -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": RECORD_NAMESPACE}}


def _config_map() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _NAME, "namespace": RECORD_NAMESPACE},
    }
