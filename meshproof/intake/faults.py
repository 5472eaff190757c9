"""Faults on purpose: refusals, failures, resets and rate limits, switched on for some paths while a test runs."""

from __future__ import annotations

import fnmatch
import random
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from meshproof.intake.rejections import Rejected

__all__ = ["Fault", "Faults", "RateLimit"]


class Fault(BaseModel):
    """Answer requests to `path` (shell pattern) with `status`, or with a connection reset.

    Which ones: each with `probability`, or every n-th (`every`), at most `times` in all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = "*"
    method: str | None = None
    status: int | None = Field(default=None, ge=400, le=599)
    reset: bool = False
    probability: float = Field(default=1.0, ge=0, le=1)
    every: int = Field(default=1, ge=1)
    times: int | None = Field(default=None, ge=1)
    reset_after: float = Field(default=1.0, ge=0, description="seconds, told with 429 and 503")

    @model_validator(mode="after")
    def _does_something(self) -> Fault:
        if self.reset == (self.status is not None):
            raise ValueError("give either status or reset")
        return self


class RateLimit(BaseModel):
    """At most `limit` requests to `path` (shell pattern) in `period` seconds, as Datadog's API limits them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    limit: int = Field(ge=1)
    period: float = Field(gt=0)


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int | None = None
    faults: tuple[Fault, ...] = ()
    rate_limits: tuple[RateLimit, ...] = ()


class Faults:
    """What is switched on; safe from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._replace(_Settings())

    def replace(self, settings: Any) -> None:
        """Switch on exactly these: `{"faults": [...], "rate_limits": [...], "seed": 1}`. Raises Rejected (400)."""
        try:
            self._replace(_Settings.model_validate(settings))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise Rejected(400, "bad_fault", f"faults: {place}: {first['msg']}") from error

    def _replace(self, settings: _Settings) -> None:
        with self._lock:
            self._settings = settings
            self._random = random.Random(settings.seed)  # noqa: S311 - reproducible faults, no secret
            self._seen = [0] * len(settings.faults)
            self._injected = [0] * len(settings.faults)
            self._windows = [(self._clock(), 0) for _ in settings.rate_limits]

    def decide(self, method: str, path: str) -> Fault | None:
        """The fault that this request gets, if any."""
        with self._lock:
            for number, fault in enumerate(self._settings.faults):
                if not fnmatch.fnmatchcase(path, fault.path) or (fault.method or method) != method:
                    continue
                self._seen[number] += 1
                if fault.times is not None and self._injected[number] >= fault.times:
                    continue
                if self._seen[number] % fault.every or self._random.random() >= fault.probability:
                    continue
                self._injected[number] += 1
                return fault
        return None

    def rate_limit(self, path: str) -> tuple[bool, dict[str, str]]:
        """Whether the request is within its limit, and the headers that tell it."""
        with self._lock:
            now = self._clock()
            for number, rule in enumerate(self._settings.rate_limits):
                if not fnmatch.fnmatchcase(path, rule.path):
                    continue
                began, used = self._windows[number]
                if now - began >= rule.period:
                    began, used = now, 0
                used += 1
                self._windows[number] = (began, used)
                headers = {
                    "X-RateLimit-Limit": str(rule.limit),
                    "X-RateLimit-Period": str(int(rule.period)),
                    "X-RateLimit-Remaining": str(max(0, rule.limit - used)),
                    "X-RateLimit-Reset": str(max(1, round(rule.period - (now - began)))),
                    "X-RateLimit-Name": rule.path,
                }
                return used <= rule.limit, headers
        return True, {}

    def status(self) -> dict[str, Any]:
        with self._lock:
            return self._settings.model_dump() | {"seen": list(self._seen), "injected": list(self._injected)}
