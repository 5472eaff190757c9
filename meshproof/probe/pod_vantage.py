"""Requests from inside a pod, sent by the pod's own curl."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from meshproof.errors import InvalidMeasurement
from meshproof.kube import ClusterError, Executor
from meshproof.probe.curl import CurlFailed, batches, outcomes, script
from meshproof.probe.outcome import Outcome
from meshproof.probe.request import Request

__all__ = ["SETPRIV", "SIDECAR_USER", "PodVantage"]

SIDECAR_USER = 1337
"""The user of Istio's sidecar: iptables lets its traffic leave the pod as it is, past the sidecar."""

SETPRIV = ("setpriv", "--reuid={user}", "--regid={user}", "--clear-groups", "--")
"""Debian's way to run a program as another user. Needs root in the container."""


class PodVantage:
    """Sends from a container that has sh and curl 7.76 or later; about a hundred requests cost one exec.

    `user` runs curl as another user by the words of `switch_user`. `options` are further words for curl, such as
    ("--cacert", "/etc/ca.pem").
    """

    def __init__(
        self,
        cluster: Executor,
        namespace: str,
        pod: str,
        container: str | None = None,
        *,
        user: int | None = None,
        switch_user: Sequence[str] = SETPRIV,
        options: Sequence[str] = (),
        name: str | None = None,
    ) -> None:
        self._cluster = cluster
        self.namespace = namespace
        self.pod = pod
        self.container = container
        self._prefix = [word.format(user=user) for word in switch_user] if user is not None else []
        self._options = tuple(options)
        where = f"pod {namespace}/{pod}" + (f" ({container})" if container else "")
        self.name = name or where + (f" as user {user}" if user is not None else "")

    def send(self, request: Request) -> Outcome:
        """See Vantage. Raises InvalidMeasurement naming the pod when curl could not be run there."""
        return self._send_in_turn([request])[0]

    def send_all(self, requests: Sequence[Request], *, parallel: int = 1) -> list[Outcome]:
        """See Vantage. With `parallel` execs, each with an equal share of the requests."""
        shares = [share for first in range(parallel) if (share := requests[first::parallel])]
        if not shares:
            return []
        found: list[Outcome | None] = [None] * len(requests)
        with ThreadPoolExecutor(max_workers=len(shares)) as pool:
            for first, part in enumerate(pool.map(self._send_in_turn, shares)):
                found[first::parallel] = part
        return [outcome for outcome in found if outcome is not None]

    def _send_in_turn(self, requests: Sequence[Request]) -> list[Outcome]:
        return [outcome for batch in batches(requests) for outcome in self._send_batch(batch)]

    def _send_batch(self, requests: Sequence[Request]) -> list[Outcome]:
        boundary = f"=={uuid.uuid4().hex}=="
        argv = ["sh", "-c", script(requests, boundary, prefix=self._prefix, options=self._options)]
        timeout = sum(request.timeout for request in requests) + self._cluster.timeouts.exec
        try:
            result = self._cluster.execute(self.namespace, self.pod, argv, container=self.container, timeout=timeout)
            return outcomes(requests, boundary, result.stdout, result.stderr)
        except (ClusterError, CurlFailed) as error:
            raise InvalidMeasurement(f"{self.name} cannot send: {error.problem}", seen=error.seen) from error
