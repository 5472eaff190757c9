"""What can go wrong at the Kubernetes API, as types, with messages for people."""

from __future__ import annotations

import json
import re
from typing import Any

from meshproof.errors import MeshproofError, UsageError

__all__ = [
    "ClusterError",
    "ClusterUnreachable",
    "Conflict",
    "ExecFailed",
    "ExecTimeout",
    "Forbidden",
    "NotFound",
    "Rejected",
    "Unauthorized",
    "UnknownContext",
    "UnknownKind",
    "UnreadableKubeconfig",
    "WebhookUnavailable",
    "error_from_answer",
]


class UnreadableKubeconfig(UsageError):
    """The kubeconfig is missing, is not YAML or lacks what a kubeconfig must have."""


class UnknownContext(UsageError):
    """The kubeconfig has no such context."""


class ClusterError(MeshproofError):
    """Something between us and the Kubernetes API."""


class ClusterUnreachable(ClusterError):
    """The API server cannot be reached, or does not answer in time."""


class UnknownKind(ClusterError):
    """The cluster serves no such kind: a typo, or a CRD that is not installed."""


class ExecFailed(ClusterError):
    """A command was not run in a pod: no such pod or container, not running, no such program."""


class ExecTimeout(ExecFailed):
    """A command ran past its time. It may still be running in the container. `stdout` and `stderr` came until then."""

    def __init__(self, problem: str, *, stdout: bytes, stderr: bytes) -> None:
        self.stdout = stdout
        self.stderr = stderr
        super().__init__(problem, seen=(stderr or stdout)[-500:].decode(errors="replace").strip() or "no output")


class ApiError(ClusterError):
    """The API server answered with an error. `code` is the HTTP status, `message` the server's own words."""

    def __init__(self, problem: str, *, code: int, message: str, remedy: str | None = None) -> None:
        self.code = code
        self.message = message
        super().__init__(problem, seen=message, remedy=remedy)


class Unauthorized(ApiError):
    """The API server does not accept the credentials."""


class Forbidden(ApiError):
    """The credentials are good and the rights are missing."""


class NotFound(ApiError):
    """There is no such object."""


class Conflict(ApiError):
    """The object exists already, or changed meanwhile."""


class Rejected(ApiError):
    """The API server, a policy or an admission webhook does not accept the object."""


class WebhookUnavailable(Rejected):
    """An admission webhook had to be asked and did not answer."""


# RBAC's own words: User "x" cannot list resource "pods" in API group "" in the namespace "y"
_RIGHT_MISSING = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) (?P<what>resource "[^"]+"|path "[^"]+")(?P<where>[^:]*)'
)


def error_from_answer(code: int, body: bytes, about: str) -> ApiError:
    """The typed error for an API server's answer; `about` says what was attempted, such as "apply Pod a/b"."""
    message = _message(code, body)
    if code == 401:
        return Unauthorized(
            f"cannot {about}: the API server does not accept the credentials",
            code=code,
            message=message,
            remedy="log in again, or choose another --context",
        )
    right = _RIGHT_MISSING.search(message)
    if code == 403 and right is not None:
        return Forbidden(
            f'cannot {about}: user "{right["user"]}" may not {right["verb"]} {right["what"]}{right["where"].rstrip()}',
            code=code,
            message=message,
            remedy=f"give the user the verb {right['verb']} on it (RBAC), or choose another --context",
        )
    if "failed calling webhook" in message:
        return WebhookUnavailable(
            f"cannot {about}: an admission webhook does not answer",
            code=code,
            message=message,
            remedy="see whether the webhook's pods are ready",
        )
    if code == 404:
        return NotFound(f"cannot {about}: not found", code=code, message=message)
    if code == 409:
        return Conflict(f"cannot {about}: conflict", code=code, message=message)
    return Rejected(f"cannot {about}: rejected (HTTP {code})", code=code, message=message)


def _message(code: int, body: bytes) -> str:
    try:
        status: Any = json.loads(body)
    except ValueError:
        status = None
    if isinstance(status, dict) and status.get("message"):
        return str(status["message"])
    return body.decode(errors="replace").strip()[:500] or f"HTTP {code}, empty answer"
