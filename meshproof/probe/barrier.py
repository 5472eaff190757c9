"""Nothing is measured before every proxy on the path holds the configuration under test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from meshproof.errors import InvalidMeasurement
from meshproof.probe.proxy import Proxy
from meshproof.waiting import StateNotReached, eventually

__all__ = ["contains", "drained", "hold"]

# Envoy's names for what it has received and does not use yet, no longer uses, or refused.
_NOT_IN_FORCE = {
    "warming_state",
    "draining_state",
    "error_state",
    "dynamic_warming_clusters",
    "dynamic_warming_secrets",
}

_DRAINING = r"^listener_manager\.total_(listeners|filter_chains)_draining$"

Dump = Sequence[dict[str, Any]]


def hold(
    proxies: Iterable[Proxy],
    predicate: Callable[[Dump], object],
    *,
    what: str,
    timeout: float | None = None,
    resource: str | None = None,
    name_regex: str | None = None,
    every: float = 0.25,
) -> None:
    """Wait until `predicate` is true of every proxy's config dump; see Proxy.config_dump for what it is given.

    The proxies are asked side by side, and one that held it once is asked again until all do at the same time.
    `timeout` is `timeouts.configuration_sync` when left out.

    Raises InvalidMeasurement, naming the proxies that do not hold it, and when there are no proxies at all.
    """
    waiting_for = list(proxies)
    if not waiting_for:
        raise InvalidMeasurement(f"{what}: there is no proxy that could hold it")

    def holds(proxy: Proxy) -> bool:
        return bool(predicate(proxy.config_dump(resource, name_regex=name_regex)))

    with ThreadPoolExecutor(max_workers=min(len(waiting_for), 8)) as pool:

        def look() -> bool:
            without = [proxy for proxy, held in zip(waiting_for, pool.map(holds, waiting_for), strict=True) if not held]
            assert not without, f"not held by {', '.join(proxy.id for proxy in without)}"
            return True

        limit = timeout if timeout is not None else waiting_for[0].timeouts.configuration_sync
        try:
            eventually(look, timeout=limit, what=what, every=every)
        except StateNotReached as error:
            raise InvalidMeasurement(error.problem, seen=error.seen) from error


def drained(proxies: Callable[[], Sequence[Proxy]], *, timeout: float, every: float = 0.5) -> None:
    """Wait until no proxy serves connections by a configuration that has been replaced. They are listed at each look.

    A changed listener drains: who is connected goes on by the old one for Istio's drainDuration.

    Raises InvalidMeasurement that names the proxies that still do.
    """
    with ThreadPoolExecutor(max_workers=8) as pool:

        def look() -> bool:
            listed = proxies()
            draining = pool.map(_drains, listed)
            still = [proxy.id for proxy, drains in zip(listed, draining, strict=True) if drains]
            assert not still, f"still draining: {', '.join(still)}"
            return True

        try:
            eventually(look, timeout=timeout, what="no proxy serves by an old configuration", every=every)
        except StateNotReached as error:
            raise InvalidMeasurement(error.problem, seen=error.seen) from error


def _drains(proxy: Proxy) -> bool:
    found = proxy.stats(_DRAINING)
    return not found or any(found.values())


def contains(revision: str) -> Callable[[Dump], bool]:
    """A predicate: the configuration in force has this text in it, such as a header that only one revision sets."""
    return lambda dump: revision in json.dumps(_in_force(dump))


def _in_force(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _in_force(value) for name, value in part.items() if name not in _NOT_IN_FORCE}
    if isinstance(part, list | tuple):
        return [_in_force(value) for value in part]
    return part
