"""Requests to the API server: JSON in, JSON out, typed errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from threading import Lock
from typing import Any, cast
from urllib.parse import urlencode

import urllib3
from kubernetes.client import rest
from urllib3.exceptions import HTTPError

from meshproof.kube.configuration import Access
from meshproof.kube.errors import ClusterUnreachable, error_from_answer

__all__ = ["Transport"]

# Every request made here may be sent twice without harm; 429 and 503 carry Retry-After when the server is busy.
_RETRIES = urllib3.Retry(
    total=4, connect=1, read=1, status=3, other=0, redirect=False, allowed_methods=None, raise_on_status=False
)


class Transport:
    """One pool of connections to one API server, safe to use from many threads."""

    def __init__(self, access: Access, timeout: float) -> None:
        self.access = access
        self._timeout = timeout
        self._credentials_lock = Lock()
        if not access.configuration.verify_ssl:  # said so in the kubeconfig; urllib3 would warn at every request
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        # The client library's pool brings the kubeconfig's TLS and proxy settings. Its ApiClient is left out because
        # the meaning of its call_api differs between the releases 36 and 37.
        self._pool: urllib3.PoolManager = cast(Any, rest.RESTClientObject)(access.configuration).pool_manager

    def close(self) -> None:
        """Close idle connections."""
        self._pool.clear()

    def authorization(self) -> dict[str, str]:
        """Headers that carry the credentials; refreshed when they have expired."""
        with self._credentials_lock:
            settings = self.access.configuration.auth_settings()
        return {setting["key"]: setting["value"] for setting in settings.values() if setting["value"]}

    def request(
        self,
        method: str,
        path: str,
        *,
        about: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> bytes:
        """The body of the answer to one request. `about` says what is attempted, for errors: "apply Pod a/b".

        Raises ClusterUnreachable, Unauthorized, Forbidden, NotFound, Conflict, Rejected.
        """
        headers = {"accept": accept, "user-agent": "meshproof", **self.authorization()}
        data = None
        if body is not None:
            headers["content-type"] = content_type
            data = json.dumps(body).encode()
        url = f"{self.access.server}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            answer = self._pool.request(
                method, url, body=data, headers=headers, timeout=self._timeout, retries=_RETRIES, preload_content=True
            )
        except (HTTPError, OSError, ValueError) as error:
            raise self.unreachable(error, about) from error
        if answer.status >= 300:
            raise error_from_answer(answer.status, answer.data, about)
        return answer.data

    def json(self, method: str, path: str, *, about: str, **options: Any) -> dict[str, Any]:
        """Like `request`, for answers that are JSON objects."""
        data = self.request(method, path, about=about, **options)
        try:
            document = json.loads(data)
        except ValueError as error:
            raise self.unreachable(error, about) from error
        if not isinstance(document, dict):
            raise self.unreachable(TypeError(f"the answer is {data[:80]!r}"), about)
        return document

    def unreachable(self, error: Exception, about: str) -> ClusterUnreachable:
        """The error for a request that got no answer from a Kubernetes API server."""
        reason = getattr(error, "reason", None) or error
        return ClusterUnreachable(
            f"cannot {about}: context {self.access.context}, no answer from the API server {self.access.server}",
            seen=reason,
            remedy="see that the cluster runs and that this machine can reach it, or choose another --context",
        )
