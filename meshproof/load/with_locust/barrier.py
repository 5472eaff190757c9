"""The barrier of a plain locust file: answers that carry the revision under test, many in a row, each from a connection
of its own. Suites read the proxies' configuration instead, see meshproof.probe.barrier."""

from __future__ import annotations

import time

import gevent
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment
from locust.event import EventHook

from meshproof.load.options import Load

__all__ = ["IN_A_ROW", "answers_carry_revision"]

IN_A_ROW = 30
"""With two proxies behind one address, one of them behind the times escapes notice once in 2^30."""


def answers_carry_revision(environment: Environment, load: Load) -> tuple[str, ...]:
    """Wait until answers carry it; afterwards the last one that does not, in words."""
    deadline = time.monotonic() + load.settle_within
    row, seen = 0, "no answer"
    while row < IN_A_ROW:
        if time.monotonic() > deadline:
            wanted = f"{load.revision_header}: {load.revision}"
            return (f"no {IN_A_ROW} answers in a row carry {wanted} within {load.settle_within:g} s, but {seen}",)
        found = _revision(environment, load)
        row = row + 1 if found == load.revision else 0
        if found != load.revision:
            seen = repr(found)
            gevent.sleep(0.1)
    return ()


def _revision(environment: Environment, load: Load) -> str | None:
    # An event of its own: these requests are not part of the run.
    session = FastHttpSession(environment.host, EventHook(), user=None, network_timeout=load.request_timeout)
    # A mark of their own, too: who counts the run's requests in a backend must not count these.
    headers = {"User-Agent": f"meshproof-barrier/{load.run_id}"}
    if load.target_host:
        headers["Host"] = load.target_host
    try:
        answer = session.get(load.path, headers=headers, allow_redirects=False)
        found = answer.headers.get(load.revision_header) if answer.headers else None
        return str(found) if found is not None else None
    finally:
        session.client.close()
