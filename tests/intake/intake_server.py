"""An intake for tests, with the clients that talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from datadog_api_client import ApiClient, Configuration

from meshproof.intake.server import IntakeSettings, running


@dataclass
class Intake:
    """A running intake, with a client that has its key."""

    settings: IntakeSettings
    url: str
    http: httpx.Client

    def api(self, key: str | None = None, **options: Any) -> ApiClient:
        configuration = Configuration(host=self.url, **options)
        configuration.api_key["apiKeyAuth"] = key or self.settings.key
        configuration.api_key["appKeyAuth"] = "any"
        return ApiClient(configuration)

    def status(self) -> dict[str, Any]:
        return dict(self.http.get("/meshproof/status").json())


def start(settings: IntakeSettings) -> Iterator[Intake]:
    with running(settings) as url, httpx.Client(base_url=url, headers={"DD-API-KEY": settings.key}, timeout=30) as http:
        yield Intake(settings, url, http)
