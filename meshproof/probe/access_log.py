"""The JSON access log of an Envoy, as the mesh's accessLogFormat names its fields."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

__all__ = ["Entry", "entries", "find"]

Entry = dict[str, Any]


def entries(log: str, *, since: datetime | None = None) -> list[Entry]:
    """The log's lines that are JSON objects with a start_time, in order; those that began before `since` left out.

    Values are as Envoy writes them: numbers as numbers, what does not apply as None.
    """
    found = []
    for line in log.splitlines():
        if not line.startswith("{"):
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if not isinstance(entry, dict) or not isinstance(entry.get("start_time"), str):
            continue
        if since is None or datetime.fromisoformat(entry["start_time"]) >= since:
            found.append(entry)
    return found


def find(
    log: Iterable[Entry],
    *,
    request_id: str | None = None,
    flag: str | None = None,
    peer: str | None = None,
    **fields: object,
) -> list[Entry]:
    """The entries that fit everything given.

    `request_id` is looked for in the user agent as well, where Request puts it: a gateway gives requests from outside
    an id of its own. `flag` is one of response_flags (Envoy joins them with commas). `peer` is the downstream's
    "ADDRESS", or "ADDRESS:PORT". Other `fields` are compared as they are: response_code=200.
    """
    return [
        entry
        for entry in log
        if (request_id is None or _has_id(entry, request_id))
        and (flag is None or flag in str(entry.get("response_flags") or "").split(","))
        and (peer is None or _is_from(entry, peer))
        and all(entry.get(name) == value for name, value in fields.items())
    ]


def _has_id(entry: Entry, request_id: str) -> bool:
    return entry.get("request_id") == request_id or request_id in str(entry.get("user_agent") or "")


def _is_from(entry: Entry, peer: str) -> bool:
    remote = str(entry.get("downstream_remote_address") or "")
    return remote == peer or remote.rpartition(":")[0].strip("[]") == peer
