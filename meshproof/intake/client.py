"""What only the embedded intake can be asked: its state, its documents, and faults and spoils on purpose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx

from meshproof.errors import MeshproofError

__all__ = ["IntakeControl"]

_SECONDS = 60.0
_PAGE = 1000


class IntakeControl:
    """The control path of the intake at `url`. Every method raises MeshproofError when it cannot be asked."""

    def __init__(self, url: str, key: str) -> None:
        headers = {"DD-API-KEY": key}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=_SECONDS, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def status(self) -> dict[str, Any]:
        """Counters, sizes and bounds."""
        return dict(self._asked("GET", "/meshproof/status"))

    def documents(self, query: str, since: datetime | None = None, limit: int = 10_000) -> list[dict[str, Any]]:
        """What agents sent beside traces, logs and metrics, newest first; at most `limit`."""
        found: list[dict[str, Any]] = []
        asked: dict[str, Any] = {"query": query, "limit": min(limit, _PAGE)}
        if since is not None:
            asked["from"] = since.isoformat()
        while len(found) < limit:
            page = self._asked("GET", "/meshproof/documents", params=asked)
            found += page["data"]
            if not page.get("after"):
                break
            asked["cursor"] = page["after"]
        return found[:limit]

    @contextmanager
    def faults(self, *faults: Mapping[str, Any], seed: int | None = None) -> Iterator[None]:
        """Faults for the length of the block, such as {"path": "/api/v2/logs", "status": 500, "times": 3}."""
        self.inject(*faults, seed=seed)
        try:
            yield
        finally:
            self.calm()

    def inject(self, *faults: Mapping[str, Any], seed: int | None = None) -> None:
        """Switch on exactly these faults, until `calm`."""
        self._asked("PUT", "/meshproof/faults", json={"faults": list(faults), "seed": seed})

    def calm(self) -> None:
        """Switch off every fault and every rate limit, whoever switched them on."""
        self._asked("DELETE", "/meshproof/faults")

    def spoil(self, *spoils: Mapping[str, Any]) -> None:
        """Switch on exactly these spoils, such as {"of": "logs", "match": {"message": "x"}, "lost": True}, until
        `unspoil`; faults come and go beside them."""
        self._asked("PUT", "/meshproof/spoils", json={"spoils": list(spoils)})

    def unspoil(self) -> None:
        """Switch off every spoil, whoever switched it on."""
        self._asked("DELETE", "/meshproof/spoils")

    def _asked(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise MeshproofError("the intake cannot be reached", seen=type(error).__name__) from error
        if answer.is_error:
            raise MeshproofError(
                f"the intake refused {method} {path}", seen=f"{answer.status_code}: {answer.text[:300]}"
            )
        return answer.json()
