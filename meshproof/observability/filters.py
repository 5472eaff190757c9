"""A model of the agent's container filters: whose logs and metrics it collects, and why.

Read in DataDog/datadog-agent: comp/core/workloadfilter/legacy/filter.go @26ae0bd (7.84 and 7.85),
pkg/util/containers/filter.go @53166a8 (before), comp/core/autodiscovery/listeners/kubelet.go.
Entries are `image:`, `name:` (of the container) or `kube_namespace:` and an expression that is searched for: without
^ and $ it is found in longer names, too. The list of pause images is left out: no pod's specification has such a
container.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from meshproof.errors import InvalidMeasurement
from meshproof.observability.re2 import BadExpression, compile_re2

__all__ = ["Container", "ContainerFilters", "Decision", "Key", "Product", "containers_of"]

Version = tuple[int, int]
Key = tuple[str, str, str]
"""Namespace, pod and name of a container."""

_TARGETS = ("image", "name", "kube_namespace")
_UNKNOWN = "the agent knows image:, name: and kube_namespace: alone"
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
# DataDog/datadog-agent#32013, merged in December 2024: `image:nginx$` stands for an image with any tag.
_IMAGE_END_SINCE: Version = (7, 63)
# DataDog/datadog-agent#42647: in these an inclusion for everything also undid the exclusions for one product.
_INCLUDE_LEAKS: tuple[Version, Version] = (7, 69), (7, 72)
# Entries that cannot be used. Before 7.69 a bad expression switched its filter off, both lists of it; in 7.69 to 7.72
# any bad entry takes its own list with it; from 7.73 on (DataDog/datadog-agent#41958) it is left out alone.
_ONE_BY_ONE_SINCE: Version = (7, 73)
_BY_LIST_SINCE: Version = (7, 69)


class Product(StrEnum):
    """What is collected from a container."""

    LOGS = "logs"
    METRICS = "metrics"


@dataclass(frozen=True)
class Container:
    """A container of a pod; `image` as the pod's specification has it, which is what the agent compares."""

    namespace: str
    pod: str
    name: str
    image: str
    annotations: Mapping[str, str]

    @property
    def key(self) -> Key:
        """Namespace, pod, name."""
        return self.namespace, self.pod, self.name


@dataclass(frozen=True)
class Decision:
    """Whether a container's product is collected, and why, in words."""

    included: bool
    because: str


@dataclass(frozen=True)
class _Entry:
    target: str
    text: str
    pattern: re.Pattern[str]
    variable: str

    def hits(self, values: Mapping[str, str]) -> bool:
        return self.target in values and self.pattern.search(values[self.target]) is not None


@dataclass(frozen=True)
class _List:
    """One filter: what it includes, what it excludes."""

    include: tuple[_Entry, ...]
    exclude: tuple[_Entry, ...]

    def includes(self, values: Mapping[str, str]) -> _Entry | None:
        """The first entry that includes: images first, then names, then namespaces."""
        return _first_hit(self.include, values)

    def excludes(self, values: Mapping[str, str]) -> _Entry | None:
        """The first entry that excludes, in the same order. An empty value is never excluded."""
        return _first_hit(self.exclude, {name: value for name, value in values.items() if value})


class ContainerFilters:
    """The filters of one agent, from its environment and version.

    `bad_entries` are those that the agent cannot use. Raises InvalidMeasurement for a version that cannot be read,
    NotModelled for an expression that Python has no equal for.
    """

    def __init__(self, environment: Mapping[str, str], version: str) -> None:
        found = re.match(r"v?(\d+)\.(\d+)", version)
        if found is None:
            raise InvalidMeasurement("the agent's version cannot be read", seen=version)
        self.version: Version = int(found[1]), int(found[2])
        self.bad_entries: list[str] = []
        self._environment = environment
        fallback = {side: not environment.get(f"DD_CONTAINER_{side}", "").split() for side in ("INCLUDE", "EXCLUDE")}
        self._global = self._list(*(f"DD_{'AC' if fallback[side] else 'CONTAINER'}_{side}" for side in fallback))
        self._product = {
            product: self._list(f"DD_CONTAINER_INCLUDE_{product.name}", f"DD_CONTAINER_EXCLUDE_{product.name}")
            for product in Product
        }

    @classmethod
    def of_agent(cls, daemon_set: Mapping[str, Any]) -> ContainerFilters:
        """Of the node agents, as their DaemonSet has them.

        Raises InvalidMeasurement when there is no container `agent` in it.
        """
        for container in daemon_set["spec"]["template"]["spec"]["containers"]:
            if container["name"] == "agent":
                environment = {it["name"]: it.get("value") or "" for it in container.get("env") or []}
                # The stand-in can be told to do as another version does.
                told = environment.get("DD_AGENT_VERSION_MODELLED")
                return cls(environment, told or container["image"].partition("@")[0].rpartition(":")[2])
        raise InvalidMeasurement("the agents' DaemonSet has no container named agent")

    def decide(self, container: Container, product: Product) -> Decision:
        """Whether the agent collects it."""
        said = _annotation(container, product)
        if said:
            return Decision(False, f"the annotation {said} excludes it")
        image = container.image if ":" in container.image or not container.image else f"{container.image}:"
        values = {"image": image, "name": container.name, "kube_namespace": container.namespace}
        for_all, own = self._global, self._product[product]
        if product is Product.METRICS:  # checks of the agent's core use one list made of both
            for_all, own = _List((), ()), _List(for_all.include + own.include, for_all.exclude + own.exclude)
        included = for_all.includes(values)
        if included and _INCLUDE_LEAKS[0] <= self.version <= _INCLUDE_LEAKS[1]:
            return Decision(True, f"{_words(included, values)}, and agents 7.69 to 7.72 then look no further")
        if not included and (excluded := for_all.excludes(values)):
            return Decision(False, f"{_words(excluded, values)}; no list for {product} alone can bring it back")
        if wanted := own.includes(values):
            return Decision(True, f"{_words(wanted, values)}, and inclusions come before exclusions")
        if excluded := own.excludes(values):
            return Decision(False, _words(excluded, values))
        return Decision(True, "no list names it")

    def _list(self, include: str, exclude: str) -> _List:
        sides: list[tuple[_Entry, ...]] = []
        switched_off = False
        for variable in (include, exclude):
            entries = []
            bad = 0
            for text in self._environment.get(variable, "").split():
                try:
                    entries.append(self._entry(text, variable))
                except BadExpression as error:
                    self.bad_entries.append(text)
                    bad += error.problem != _UNKNOWN or self.version >= _BY_LIST_SINCE
            spoilt = bool(bad) and self.version < _ONE_BY_ONE_SINCE
            switched_off |= spoilt and self.version < _BY_LIST_SINCE
            sides.append(() if spoilt else tuple(entries))
        return _List((), ()) if switched_off else _List(*sides)

    def _entry(self, text: str, variable: str) -> _Entry:
        target, colon, expression = text.partition(":")
        if not colon or target not in _TARGETS:
            raise BadExpression(_UNKNOWN, seen=text)
        if (
            target == "image"
            and self.version >= _IMAGE_END_SINCE
            and expression.endswith("$")
            and ":" not in expression
        ):
            expression = f"{expression[:-1]}(@sha256)?:.*"
        return _Entry(target, text, compile_re2(expression), variable)


def containers_of(pod: Mapping[str, Any]) -> list[Container]:
    """The containers of a pod, those that only prepare it among them: their logs are collected, too."""
    metadata, spec = pod["metadata"], pod["spec"]
    annotations = metadata.get("annotations") or {}
    return [
        Container(metadata["namespace"], metadata["name"], it["name"], it["image"], annotations)
        for it in [*(spec.get("initContainers") or []), *spec["containers"]]
    ]


def _first_hit(entries: Sequence[_Entry], values: Mapping[str, str]) -> _Entry | None:
    return next((it for target in _TARGETS for it in entries if it.target == target and it.hits(values)), None)


def _annotation(container: Container, product: Product) -> str | None:
    for what in (f"{product}_exclude", "exclude"):
        for name in (f"ad.datadoghq.com/{what}", f"ad.datadoghq.com/{container.name}.{what}"):
            if container.annotations.get(name, "") in _TRUE:
                return name
    return None


def _words(entry: _Entry, values: Mapping[str, str]) -> str:
    value = values[entry.target]
    kind = {"image": "the image", "name": "the container's name", "kube_namespace": "the namespace"}[entry.target]
    part = entry.pattern.search(value)
    longer = part is not None and part[0] != value and entry.target != "image"
    loose = " (an expression without ^ and $ is found in longer names, too)" if longer else ""
    return f"{entry.text} of {entry.variable} is found in {kind} {value}{loose}"
