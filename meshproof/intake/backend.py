"""One object that the suites ask; behind it Datadog's official client talks to the intake or to Datadog itself."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import urllib3
from datadog_api_client import ApiClient, Configuration, exceptions
from datadog_api_client.v1.api.authentication_api import AuthenticationApi
from datadog_api_client.v1.api.metrics_api import MetricsApi
from datadog_api_client.v2.api.logs_api import LogsApi
from datadog_api_client.v2.api.spans_api import SpansApi
from datadog_api_client.v2.model.logs_list_request import LogsListRequest
from datadog_api_client.v2.model.spans_list_request import SpansListRequest

from meshproof.errors import MeshproofError, UsageError
from meshproof.intake.attributes import flattened
from meshproof.keys import Keys, site_of

__all__ = ["Backend", "LogLine", "MetricSeries", "Span", "any_of"]

_PAGE = 1000
# Datadog's limit for span searches is 300 an hour, for everybody in the organisation.
_SAAS_POLL_SECONDS = 12.0
_INTAKE_POLL_SECONDS = 0.25
_VALIDATE_SECONDS = 2.0
_REQUEST_SECONDS = 60.0
# The client is annotated in parts only: its models take plain dicts, its classes are untyped calls.
_Configuration: Any = Configuration
_AuthenticationApi: Any = AuthenticationApi
_SpansApi: Any = SpansApi
_LogsApi: Any = LogsApi
_MetricsApi: Any = MetricsApi
_SpansListRequest: Any = SpansListRequest
_LogsListRequest: Any = LogsListRequest
_SPECIAL = r'+-=&|><!(){}[]^"~*?:\/ #'


@dataclass(frozen=True)
class Span:
    """A span as the backend shows it. `start` and `duration` in ns; `attributes` flat, by dotted names.

    Datadog tells the start only to the millisecond; the intake to the nanosecond.
    """

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    resource: str
    type: str
    env: str
    host: str
    start: int
    duration: int
    error: bool
    tags: frozenset[str]
    attributes: Mapping[str, str | float]


@dataclass(frozen=True)
class LogLine:
    message: str
    status: str
    service: str
    host: str
    timestamp: datetime
    tags: frozenset[str]
    attributes: Mapping[str, str | float]


@dataclass(frozen=True)
class MetricSeries:
    """Points of one group: (seconds since 1970, value)."""

    tags: frozenset[str]
    points: tuple[tuple[float, float], ...]


def any_of(name: str, values: Sequence[str]) -> str:
    """A query for all values at once, so that one search does the work of many."""
    escaped = ["".join(f"\\{sign}" if sign in _SPECIAL else sign for sign in value) for value in values]
    return f"{name}:({' OR '.join(escaped)})"


class _PlainClient(ApiClient):
    """Answers as plain JSON. The client's models take 4 ms for a span, and only become dicts again."""

    def deserialize(self, response_data: str, response_type: object, check_type: bool | None) -> Any:  # noqa: ARG002
        """See ApiClient; an answer that is no JSON stays text."""
        try:
            return json.loads(response_data)
        except ValueError:
            return response_data


class Backend:
    """Searches. Every method raises MeshproofError when the backend cannot be reached or refuses the question.

    `poll_seconds`: how long to wait between two questions of a poll.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        poll_seconds: float = _INTAKE_POLL_SECONDS,
        patience: float = 300.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        configuration.return_http_data_only = False
        configuration.request_timeout = _REQUEST_SECONDS
        configuration.retry_policy = urllib3.Retry(0)  # waiting is done here, where it can be told and bounded
        self.poll_seconds = poll_seconds
        self._patience = patience
        self._sleep = sleep
        self._configuration = configuration
        self.client = ApiClient(configuration)
        self._search = _PlainClient(configuration)
        self._pause = 0.0

    @classmethod
    def of_intake(cls, url: str, key: str, **options: Any) -> Backend:
        """The intake at `url` (http://host:port) with the key of its run."""
        configuration = _Configuration(host=url)
        configuration.api_key["apiKeyAuth"] = key
        configuration.api_key["appKeyAuth"] = key
        return cls(configuration, **options)

    @classmethod
    def of_saas(cls, keys: Keys, site: str, **options: Any) -> Backend:
        """Datadog itself, at `site`, such as datadoghq.eu. Call `validate` before anything is created.

        Raises UsageError for a site that Datadog does not have, before any request.
        """
        configuration = _of_site(site)
        configuration.api_key["apiKeyAuth"] = keys.api
        configuration.api_key["appKeyAuth"] = keys.application
        return cls(configuration, poll_seconds=_SAAS_POLL_SECONDS, **options)

    @classmethod
    def for_sending(cls, environment: Mapping[str, str], **options: Any) -> Backend:
        """Where results go: DD_DD_URL if it is set, which agents know too, else the site DD_SITE; with DD_API_KEY.

        Raises UsageError for what is missing, before any request.
        """
        keys = Keys.for_sending(environment)
        url = environment.get("DD_DD_URL", "").strip()
        configuration = _Configuration(host=url.rstrip("/")) if url else _of_site(site_of(environment))
        configuration.api_key["apiKeyAuth"] = keys.api
        return cls(configuration, **options)

    def close(self) -> None:
        self.client.close()
        self._search.close()

    def validate(self) -> None:
        """Raises UsageError when a key is not accepted: the API key first, then the application key."""
        self._configuration.request_timeout = _VALIDATE_SECONDS
        try:
            self.asked(_AuthenticationApi(self.client).validate, "the API key", patience=0)
            self.asked(_SpansApi(self.client).list_spans_get, "the application key", patience=0, page_limit=1)
        finally:
            self._configuration.request_timeout = _REQUEST_SECONDS

    def spans(self, query: str, since: datetime, until: datetime | None = None, limit: int = 100_000) -> list[Span]:
        """All spans of the window that match, oldest first. Raises MeshproofError when there are more than `limit`."""
        api = _SpansApi(self._search)

        def page(cursor: str | None) -> Any:
            asked = {"limit": _PAGE} | ({"cursor": cursor} if cursor else {})
            attributes = {"filter": _window(query, since, until), "page": asked, "sort": "timestamp"}
            request = _SpansListRequest(data={"attributes": attributes, "type": "search_request"})
            return self.asked(api.list_spans, "a question about spans", body=request)

        return [_span(it["attributes"]) for it in self._pages(page, query, limit)]

    def logs(self, query: str, since: datetime, until: datetime | None = None, limit: int = 100_000) -> list[LogLine]:
        """All log lines of the window that match, oldest first. Raises MeshproofError when there are more."""
        api = _LogsApi(self._search)

        def page(cursor: str | None) -> Any:
            asked = {"limit": _PAGE} | ({"cursor": cursor} if cursor else {})
            request = _LogsListRequest(filter=_window(query, since, until), page=asked, sort="timestamp")
            return self.asked(api.list_logs, "a question about logs", body=request)

        return [_log(it["attributes"]) for it in self._pages(page, query, limit)]

    def metrics(self, query: str, since: datetime, until: datetime | None = None) -> list[MetricSeries]:
        """Series of a metric query such as `sum:trace.envoy.proxy.hits{*} by {service}.rollup(sum, 60)`."""
        end = until or datetime.now(UTC)
        window = {"_from": int(since.timestamp()), "to": math.ceil(end.timestamp())}
        answer = self.asked(
            _MetricsApi(self.client).query_metrics, "a question about metrics", query=query, **window
        ).to_dict()
        if answer.get("error"):
            raise MeshproofError("the backend refused a metric query", seen=f"{query}: {answer['error']}")
        return [
            MetricSeries(
                frozenset(series.get("tag_set") or ()),
                tuple((point[0] / 1000, point[1]) for point in series["pointlist"] if point[1] is not None),
            )
            for series in answer.get("series") or []
        ]

    def _pages(self, page: Callable[[str | None], Any], query: str, limit: int) -> list[Any]:
        found: list[Any] = []
        cursor: str | None = None
        while True:
            answer = page(cursor)
            if not isinstance(answer, dict):
                raise MeshproofError("the Datadog backend gave no JSON for a search", seen=f"{query}: {answer!r:.200}")
            found += answer.get("data") or []
            if len(found) > limit:
                raise MeshproofError(
                    f"more than {limit} events match", seen=query, remedy="narrow the query or the time"
                )
            cursor = ((answer.get("meta") or {}).get("page") or {}).get("after")
            if not cursor:
                return found

    def asked(
        self, operation: Callable[..., Any], what: str, *, patience: float | None = None, **arguments: Any
    ) -> Any:
        """The answer; waits for the rate limit and for a backend that is busy, `patience` seconds in all."""
        longest, waited = self._patience if patience is None else patience, 0.0
        while True:
            if self._pause:
                self._sleep(self._pause)
                waited, self._pause = waited + self._pause, 0.0
            try:
                content, _, headers = operation(**arguments)
            except exceptions.ApiException as error:
                pause = _pause_after(error)
                if pause is None or waited + pause > longest:
                    raise _for_people(error, what, self._configuration.api_key.values()) from None
                self._pause = pause
                continue
            except urllib3.exceptions.HTTPError as error:
                reason = type(error).__name__
                raise MeshproofError(
                    "the Datadog backend cannot be reached", seen=reason, remedy="check the address and the network"
                ) from error
            if _header(headers, "x-ratelimit-remaining") == 0:
                self._pause = _header(headers, "x-ratelimit-reset") or 1.0
            return content


def _of_site(site: str) -> Any:
    configuration = _Configuration()
    try:
        configuration.server_variables["site"] = site
        _ = configuration.host
    except ValueError as error:
        raise UsageError("DD_SITE is not a site of Datadog", seen=site, remedy="for example datadoghq.eu") from error
    return configuration


def _pause_after(error: exceptions.ApiException) -> float | None:
    if error.status == 429 or (error.status or 0) >= 500:
        return _header(error.headers, "x-ratelimit-reset") or 2.0
    return None


def _header(headers: Any, name: str) -> float | None:
    found = next((value for key, value in dict(headers or {}).items() if key.lower() == name), None)
    try:
        return None if found is None else float(found)
    except ValueError:
        return None


def _for_people(error: exceptions.ApiException, what: str, keys: Iterable[str]) -> MeshproofError:
    if error.status in (401, 403):
        remedy = "check DD_API_KEY, DD_APP_KEY and DD_SITE: they belong together"
        return UsageError(f"Datadog does not accept {what if 'key' in what else 'the keys'}", remedy=remedy)
    body = error.body if isinstance(error.body, Mapping) else _parsed(error.body)
    detail = "; ".join(str(it) for it in body.get("errors", [])) or str(error.reason)
    for key in filter(None, keys):  # what is between us and Datadog may tell a request's headers back
        detail = detail.replace(key, "...")
    return MeshproofError(f"the Datadog backend refused {what}", seen=f"{error.status}: {detail}")


def _parsed(body: object) -> Mapping[str, Any]:
    try:
        parsed = json.loads(body) if isinstance(body, str | bytes) else {}
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _window(query: str, since: datetime, until: datetime | None) -> dict[str, str]:
    return {"query": query, "from": since.isoformat(), "to": until.isoformat() if until else "now"}


def _span(read: Mapping[str, Any]) -> Span:
    own = read.get("attributes") or {}
    flat = flattened({key: value for key, value in (read.get("custom") or {}).items() if key != "duration"})
    begin, end = (datetime.fromisoformat(read[name]) for name in ("start_timestamp", "end_timestamp"))
    duration = (read.get("custom") or {}).get("duration", own.get("duration"))
    return Span(
        trace_id=str(read["trace_id"]),
        span_id=str(read["span_id"]),
        parent_id=str(read.get("parent_id") or "0"),
        service=str(read.get("service") or ""),
        name=str(own.get("operation_name") or read.get("operation_name") or ""),
        resource=str(read.get("resource_name") or ""),
        type=str(read.get("type") or ""),
        env=str(read.get("env") or ""),
        host=str(read.get("host") or ""),
        start=int(own.get("start") or begin.timestamp() * 1e9),
        duration=int(duration if duration is not None else (end - begin).total_seconds() * 1e9),
        error=(own.get("status") or read.get("status")) == "error",
        tags=frozenset(read.get("tags") or ()),
        attributes=flat,
    )


def _log(read: Mapping[str, Any]) -> LogLine:
    return LogLine(
        message=str(read.get("message") or ""),
        status=str(read.get("status") or ""),
        service=str(read.get("service") or ""),
        host=str(read.get("host") or ""),
        timestamp=datetime.fromisoformat(read["timestamp"]),
        tags=frozenset(read.get("tags") or ()),
        attributes=flattened(read.get("attributes") or {}),
    )
