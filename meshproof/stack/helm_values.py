"""Whether values of the Helm chart datadog/datadog ask for the agents that a DatadogAgent asks for.

What corresponds to what is Datadog's own mapping: cmd/yaml-mapper in the operator's sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from meshproof.manifests import Manifest

__all__ = ["first_difference"]

_FEATURES = {
    "datadog.apm.port": "apm.hostPortConfig.hostPort",
    "datadog.logs.enabled": "logCollection.enabled",
    "datadog.logs.containerCollectAll": "logCollection.containerCollectAll",
    "datadog.networkMonitoring.enabled": "npm.enabled",
    "datadog.processAgent.processCollection": "liveProcessCollection.enabled",
    "datadog.processAgent.processDiscovery": "processDiscovery.enabled",
    "datadog.collectEvents": "eventCollection.collectKubernetesEvents",
    "datadog.orchestratorExplorer.enabled": "orchestratorExplorer.enabled",
    "datadog.clusterChecks.enabled": "clusterChecks.enabled",
    "datadog.remoteConfiguration.enabled": "remoteConfiguration.enabled",
    "datadog.discovery.enabled": "serviceDiscovery.enabled",
    "clusterAgent.admissionController.enabled": "admissionController.enabled",
    "clusterAgent.metricsProvider.enabled": "externalMetricsServer.enabled",
    "clusterChecksRunner.enabled": "clusterChecks.useClusterChecksRunners",
}
_GLOBAL = {
    "registry": "registry",
    "datadog.apiKeyExistingSecret": "credentials.apiSecret.secretName",
    "datadog.appKeyExistingSecret": "credentials.appSecret.secretName",
    "datadog.clusterName": "clusterName",
    "datadog.site": "site",
    "datadog.dd_url": "endpoint.url",
    "datadog.logLevel": "logLevel",
    "datadog.kubelet.tlsVerify": "kubelet.tlsVerify",
}
_CONTAINERS = {
    "agents.containers.agent": "nodeAgent.containers.agent",
    "agents.containers.traceAgent": "nodeAgent.containers.trace-agent",
    "agents.containers.systemProbe": "nodeAgent.containers.system-probe",
    "clusterAgent": "clusterAgent.containers.cluster-agent",
    "clusterChecksRunner": "clusterChecksRunner.containers.agent",
}
_PODS = {"agents": "nodeAgent", "clusterAgent": "clusterAgent", "clusterChecksRunner": "clusterChecksRunner"}
_ENVIRONMENTS = {
    "datadog.env": "nodeAgent",
    "clusterAgent.env": "clusterAgent",
    "clusterChecksRunner.env": "clusterChecksRunner",
}
_LISTS = {
    f"datadog.container{verb}{what}": f"DD_CONTAINER_{verb.upper()}{f'_{what.upper()}' if what else ''}"
    for verb in ("Include", "Exclude")
    for what in ("", "Logs", "Metrics")
}
# What the chart does without being told, and the operator's form of it.
_FIXED = {
    "spec.global.credentials.apiSecret.keyName": "api-key",
    "spec.global.credentials.appSecret.keyName": "app-key",
    "spec.features.logCollection.tempStoragePath": "/var/lib/datadog-agent/logs",
}


def first_difference(values: Mapping[str, Any], agent: Manifest) -> str | None:
    """The first field in which they differ, with both sides; None when they say the same.

    A field that is not known to correspond to anything is a difference.
    """
    left, right = _leaves(values), _leaves({"spec": agent["spec"]})
    for ours, theirs in _pairs(left, right):
        if (difference := _compared(left, right, ours, theirs)) is not None:
            return difference
    for path, wanted in _FIXED.items():
        if right.pop(path, wanted) != wanted:
            return f"{path}: the chart always has {wanted!r}"
    return _environments_differ(left, right) or _left_over(left, right)


def _pairs(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Helm's paths with the DatadogAgent's."""
    yield from ((ours, f"spec.global.{theirs}") for ours, theirs in _GLOBAL.items())
    yield from ((ours, f"spec.features.{theirs}") for ours, theirs in _FEATURES.items())
    for ours, theirs in _PODS.items():
        yield f"{ours}.image.tag", f"spec.override.{theirs}.image.tag"
        yield from _below(left, right, f"{ours}.podAnnotations", f"spec.override.{theirs}.annotations")
    for ours, theirs in _CONTAINERS.items():
        for part in ("resources", "startupProbe", "readinessProbe", "livenessProbe"):
            yield from _below(left, right, f"{ours}.{part}", f"spec.override.{theirs}.{part}")


def _below(left: Mapping[str, Any], right: Mapping[str, Any], ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    ends = {path.removeprefix(ours) for path in left if path.startswith(f"{ours}.")}
    ends |= {path.removeprefix(theirs) for path in right if path.startswith(f"{theirs}.")}
    yield from ((ours + end, theirs + end) for end in sorted(ends))


def _compared(left: dict[str, Any], right: dict[str, Any], ours: str, theirs: str) -> str | None:
    # The operator leaves this out of what it stores when it is 0, which is what Kubernetes takes then.
    missing = 0 if ours.endswith(".initialDelaySeconds") else None
    first, second = left.pop(ours, missing), right.pop(theirs, missing)
    return None if first == second else f"{ours} is {first!r}, {theirs} is {second!r}"


def _environments_differ(left: dict[str, Any], right: dict[str, Any]) -> str | None:
    """Compare each component's variables; the operator gives the global ones to all, the chart each its own."""
    everywhere = _variables(right.pop("spec.global.env", []))
    for ours, component in _ENVIRONMENTS.items():
        first = _variables(left.pop(ours, []))
        if component == "nodeAgent":
            first |= {name: left.pop(path) for path, name in _LISTS.items() if path in left}
        second = everywhere | _variables(right.pop(f"spec.override.{component}.env", []))
        for name in sorted({*first, *second}):
            if first.get(name) != second.get(name):
                return f"{name} of {component} is {first.get(name)!r} by Helm, {second.get(name)!r} by the operator"
    # One value of the chart that is two fields of the operator's, and one field that is a variable of the chart's.
    port_enabled = left.pop("datadog.apm.portEnabled", None)
    for path in ("spec.features.apm.enabled", "spec.features.apm.hostPortConfig.enabled"):
        if (found := right.pop(path, None)) != port_enabled:
            return f"datadog.apm.portEnabled is {port_enabled!r}, {path} is {found!r}"
    url = right.pop("spec.features.orchestratorExplorer.ddUrl", None)
    variable = everywhere.get("DD_ORCHESTRATOR_EXPLORER_ORCHESTRATOR_DD_URL")
    return (
        None if url == variable else f"spec.features.orchestratorExplorer.ddUrl is {url!r}, its variable {variable!r}"
    )


def _left_over(left: Mapping[str, Any], right: Mapping[str, Any]) -> str | None:
    for path, value in [*left.items(), *right.items()]:
        return f"{path} is {value!r} and corresponds to nothing that is known"
    return None


def _variables(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in entries}


def _leaves(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every value that is no mapping, by its dotted path."""
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            found |= _leaves(inner, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = inner
    return found
