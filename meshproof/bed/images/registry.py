"""Whether images can be pulled here, and the registries that would be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import httpx

from meshproof.settings import ImageChoice

__all__ = ["choose_source", "reachable", "registries"]

# The API of docker.io is not at docker.io: https://distribution.github.io/reference/ (familiar names)
_API_HOSTS = {"docker.io": "registry-1.docker.io"}


def registries(references: Iterable[str]) -> list[str]:
    """The hosts of the registries that these references name, each once."""
    return list(dict.fromkeys(reference.partition("/")[0] for reference in references))


def reachable(host: str, *, timeout: float) -> bool:
    """Whether anything that speaks HTTP answers for the registry; a refusal to serve is an answer."""
    try:
        httpx.get(f"https://{_API_HOSTS.get(host, host)}/v2/", timeout=timeout)
    except httpx.HTTPError:
        return False
    return True


def choose_source(
    choice: ImageChoice,
    references: Iterable[str],
    *,
    timeout: float,
    ask: Callable[..., bool] = reachable,
) -> ImageChoice:
    """`registry` or `source`: as chosen, or `registry` when every registry answers."""
    if choice is not ImageChoice.AUTO:
        return choice
    hosts = registries(references)
    with ThreadPoolExecutor(len(hosts) or 1) as pool:
        answers = list(pool.map(lambda host: ask(host, timeout=timeout), hosts))
    return ImageChoice.REGISTRY if all(answers) else ImageChoice.SOURCE
