"""Whether the agents run as their DatadogAgent says: settings, exclusions, no sidecar, a port that can be reached.

Objects are plain dicts as the Kubernetes API gives them; judgements are lists of findings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

__all__ = [
    "INJECTION",
    "container_lists",
    "containers_of",
    "differing_annotations",
    "differing_env",
    "differing_lists",
    "mixed_exclusions",
    "policies_in_the_way",
    "wanted_annotations",
    "wanted_env",
]

INJECTION = "sidecar.istio.io/inject"
_GLOBAL = frozenset({"DD_CONTAINER_EXCLUDE", "DD_CONTAINER_INCLUDE"})
_OF_A_PRODUCT = frozenset(
    f"DD_CONTAINER_{list_}_{product}" for list_ in ("EXCLUDE", "INCLUDE") for product in ("LOGS", "METRICS")
)

# As the values of the Helm chart call them.
_IN_THE_CHART = {
    f"container{verb}{product}": f"DD_CONTAINER_{verb.upper()}{'_' + product.upper() if product else ''}"
    for verb in ("Exclude", "Include")
    for product in ("", "Logs", "Metrics")
}

Object = Mapping[str, Any]


def wanted_env(agent: Object, component: str) -> dict[str, str]:
    """The plain variables that a DatadogAgent gives to every container of a component ("nodeAgent", "clusterAgent",
    "clusterChecksRunner"): the global ones, and its own over them."""
    spec = agent["spec"]
    entries = [*spec.get("global", {}).get("env", []), *_override(agent, component).get("env", [])]
    return {entry["name"]: str(entry["value"]) for entry in entries if "value" in entry}


def wanted_annotations(agent: Object, component: str) -> dict[str, str]:
    """The annotations that a DatadogAgent gives to the pods of a component."""
    return dict(_override(agent, component).get("annotations", {}))


def containers_of(workload: Object) -> Sequence[Object]:
    """The containers of a workload's template, without those that only prepare."""
    return tuple(workload["spec"]["template"]["spec"]["containers"])


def differing_env(workload: Object, wanted: Mapping[str, str]) -> list[str]:
    """Variables that a container has not, or otherwise than wanted."""
    name = workload["metadata"]["name"]
    found = []
    for container in containers_of(workload):
        has = _plain_env(container)
        found += [
            f"{name}, container {container['name']}: {key} is {has.get(key, 'not set')!r}, not {value!r}"
            for key, value in wanted.items()
            if has.get(key) != value
        ]
    return found


def differing_annotations(owner: str, metadata: Object, wanted: Mapping[str, str]) -> list[str]:
    """Annotations that a pod or a template has not, or otherwise than wanted."""
    has = metadata.get("annotations") or {}
    return [
        f"{owner}: annotation {key} is {has.get(key, 'not set')!r}, not {value!r}"
        for key, value in wanted.items()
        if has.get(key) != value
    ]


def mixed_exclusions(workload: Object) -> list[str]:
    """Containers with a list for everything beside one for logs or metrics: what the first excludes, no list of a
    product can include again."""
    name = workload["metadata"]["name"]
    found = []
    for container in containers_of(workload):
        names = {entry["name"] for entry in container.get("env", [])}
        if names & _GLOBAL and names & _OF_A_PRODUCT:
            both = ", ".join(sorted((names & _GLOBAL) | (names & _OF_A_PRODUCT)))
            found.append(f"{name}, container {container['name']} mixes {both}")
    return found


def container_lists(document: Any) -> dict[str, frozenset[str]]:
    """The DD_CONTAINER_... lists in any document with variables, such as a DaemonSet or the values of a Helm chart,
    each as the set of its entries. A list that stands there several times has the entries of all."""
    found: dict[str, frozenset[str]] = {}
    for given, value in _variables(document):
        name = _IN_THE_CHART.get(given, given)
        if name in _OF_A_PRODUCT | _GLOBAL:
            found[name] = found.get(name, frozenset()) | frozenset(value.split())
    return found


def differing_lists(first: Mapping[str, frozenset[str]], second: Mapping[str, frozenset[str]]) -> list[str]:
    """The entries that only one of two sources of lists has."""
    found = []
    for name in sorted(first.keys() | second.keys()):
        one, other = first.get(name, frozenset()), second.get(name, frozenset())
        if one != other:
            found.append(f"{name}: only the first has {sorted(one - other)}, only the second has {sorted(other - one)}")
    return found


def policies_in_the_way(policies: Iterable[Object], labels: Mapping[str, str], port: int) -> list[str]:
    """NetworkPolicies that select pods with these labels while none of them lets everybody in on that port.

    Selectors by expression are taken to fit.
    """
    selecting = [policy for policy in policies if _restricts(policy, labels)]
    if not selecting or any(
        _lets_in(rule, port) for policy in selecting for rule in policy["spec"].get("ingress") or []
    ):
        return []
    names = ", ".join(policy["metadata"]["name"] for policy in selecting)
    return [f"NetworkPolicy {names} lets nobody reach port {port}"]


def _override(agent: Object, component: str) -> Object:
    return agent["spec"].get("override", {}).get(component, {})  # type: ignore[no-any-return]


def _plain_env(container: Object) -> dict[str, str]:
    return {entry["name"]: str(entry["value"]) for entry in container.get("env", []) if "value" in entry}


def _variables(part: Any) -> Iterator[tuple[str, str]]:
    if isinstance(part, Mapping):
        if isinstance(part.get("name"), str) and isinstance(part.get("value"), str):
            yield part["name"], part["value"]
        for name, value in part.items():
            if isinstance(value, str):
                yield name, value
            yield from _variables(value)
    elif isinstance(part, Sequence) and not isinstance(part, str):
        for value in part:
            yield from _variables(value)


def _restricts(policy: Object, labels: Mapping[str, str]) -> bool:
    spec = policy["spec"]
    wanted = spec.get("podSelector", {}).get("matchLabels", {})
    return "Ingress" in spec.get("policyTypes", ["Ingress"]) and wanted.items() <= labels.items()


def _lets_in(rule: Object, port: int) -> bool:
    ports = rule.get("ports")
    return not rule.get("from") and (not ports or any(entry.get("port") == port for entry in ports))
