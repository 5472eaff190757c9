from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from meshproof.probe import Entry, entries, find

ANSWERED = {
    "start_time": "2026-11-21T10:56:19.959Z",
    "request_id": "99c245db",
    "user_agent": "meshproof 1f0e",
    "response_code": 200,
    "response_flags": "-",
    "downstream_remote_address": "10.244.0.7:57864",
    "downstream_peer_uri_san": "spiffe://cluster.local/ns/apps/sa/alpine",
}
REFUSED = {
    "start_time": "2026-11-21T10:56:20.035Z",
    "request_id": None,
    "user_agent": None,
    "response_code": 0,
    "response_flags": "NR",
    "response_code_details": "filter_chain_not_found",
    "downstream_remote_address": "10.244.0.70:59600",
}
FAILED = {**ANSWERED, "request_id": "other", "response_code": 503, "response_flags": "UF,URX"}
LOG = [ANSWERED, REFUSED, FAILED]


def text(*lines: object) -> str:
    return "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)


def test_only_access_log_lines_are_entries() -> None:
    log = text("2026-11-21T10:56:18Z\tinfo\tready", ANSWERED, "{half", {"level": "info"}, "", "[1]", REFUSED)
    assert entries(log) == [ANSWERED, REFUSED]


def test_entries_since_a_moment() -> None:
    since = datetime(2026, 11, 21, 10, 56, 20, tzinfo=UTC)
    assert entries(text(ANSWERED, REFUSED), since=since) == [REFUSED]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"request_id": "99c245db"}, [ANSWERED]),
        ({"request_id": "1f0e"}, [ANSWERED, FAILED]),  # in the user agent, as a gateway leaves it
        ({"flag": "NR"}, [REFUSED]),
        ({"flag": "URX"}, [FAILED]),
        ({"flag": "UR"}, []),
        ({"peer": "10.244.0.7"}, [ANSWERED, FAILED]),
        ({"peer": "10.244.0.70:59600"}, [REFUSED]),
        ({"response_code": 200, "peer": "10.244.0.7"}, [ANSWERED]),
        ({"response_code_details": "filter_chain_not_found"}, [REFUSED]),
        ({"flag": "NR", "response_code": 200}, []),
        ({}, LOG),
    ],
)
def test_find(wanted: dict[str, object], found: list[Entry]) -> None:
    assert find(LOG, **wanted) == found  # type: ignore[arg-type]


def test_find_by_an_ipv6_peer() -> None:
    entry = {**REFUSED, "downstream_remote_address": "[fd00::7]:59600"}
    assert find([entry], peer="fd00::7") == [entry]
