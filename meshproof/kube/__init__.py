"""The Kubernetes API, over the official client's configuration and connections."""

from meshproof.kube.cluster import FIELD_MANAGER, Cluster
from meshproof.kube.configuration import contexts
from meshproof.kube.errors import (
    ApiError,
    ClusterError,
    ClusterUnreachable,
    Conflict,
    ExecFailed,
    ExecTimeout,
    Forbidden,
    NotFound,
    Rejected,
    Unauthorized,
    UnknownContext,
    UnknownKind,
    UnreadableKubeconfig,
    WebhookUnavailable,
)
from meshproof.kube.execution import ExecResult, Executor

__all__ = [
    "FIELD_MANAGER",
    "ApiError",
    "Cluster",
    "ClusterError",
    "ClusterUnreachable",
    "Conflict",
    "ExecFailed",
    "ExecResult",
    "ExecTimeout",
    "Executor",
    "Forbidden",
    "NotFound",
    "Rejected",
    "Unauthorized",
    "UnknownContext",
    "UnknownKind",
    "UnreadableKubeconfig",
    "WebhookUnavailable",
    "contexts",
]
