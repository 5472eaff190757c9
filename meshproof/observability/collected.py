"""Which containers wrote something, and whose lines arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from meshproof.intake.backend import LogLine
from meshproof.kube import Cluster, ClusterError
from meshproof.observability.filters import Container, Key
from meshproof.observability.ledger import tag_of

__all__ = ["container_of", "lines_by_container", "speaks_of", "those_that_wrote"]

_AT_ONCE = 8


def container_of(line: LogLine) -> Key:
    """Namespace, pod and container that a line's tags name; "" for what they do not."""
    namespace, pod, name = (tag_of(line, it) or "" for it in ("kube_namespace", "pod_name", "container_name"))
    return namespace, pod, name


def lines_by_container(lines: Iterable[LogLine]) -> Counter[Key]:
    """How many lines arrived of each container."""
    return Counter(container_of(line) for line in lines)


def speaks_of(line: LogLine, word: str) -> bool:
    """Whether the word stands in a line's message or attributes: parsed or not, it is the line about it."""
    return any(word in str(text) for text in (line.message, *line.attributes.values()))


def those_that_wrote(cluster: Cluster, containers: Sequence[Container], since: datetime) -> frozenset[Key]:
    """The containers whose own logs, as the cluster tells them, hold a line from `since` on.

    A container that has no log yet, or is gone, has written nothing.
    """

    def wrote(container: Container) -> bool:
        try:
            return bool(cluster.logs(container.namespace, container.pod, container.name, since=since, tail=1))
        except ClusterError:
            return False

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return frozenset(it.key for it, did in zip(containers, pool.map(wrote, containers), strict=True) if did)
