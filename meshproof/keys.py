"""Where Datadog is, and its two keys, which never show in a repr, a log, a report or a process list."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from meshproof.errors import UsageError
from meshproof.secrecy import remember

__all__ = ["SITE", "Keys", "site_of"]

SITE = "datadoghq.com"
"""Datadog's own default of DD_SITE."""


def site_of(environment: Mapping[str, str]) -> str:
    """DD_SITE, or the default."""
    return environment.get("DD_SITE", "").strip() or SITE


@dataclass(frozen=True)
class Keys:
    """The API key, which agents send with, and the application key, which questions are asked with."""

    api: str = field(repr=False)
    application: str = field(repr=False)

    def __post_init__(self) -> None:
        """Wherever a key comes from, nothing shows it from now on."""
        remember(self.api, self.application)

    @classmethod
    def minted(cls) -> Keys:
        """Keys for an intake of our own: what comes with any other key is foreign, and counted as such."""
        return cls(secrets.token_hex(16), secrets.token_hex(20))

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Keys:
        """DD_API_KEY and DD_APP_KEY.

        Raises UsageError that names what is missing.
        """
        missing = [name for name in ("DD_API_KEY", "DD_APP_KEY") if not environment.get(name, "").strip()]
        if missing:
            raise UsageError(f"Datadog needs {' and '.join(missing)}", remedy="set them, or use --datadog intake")
        return cls(environment["DD_API_KEY"].strip(), environment["DD_APP_KEY"].strip())

    @classmethod
    def for_sending(cls, environment: Mapping[str, str]) -> Keys:
        """DD_API_KEY alone: who only sends asks nothing. The application key is empty.

        Raises UsageError when it is missing.
        """
        key = environment.get("DD_API_KEY", "").strip()
        if not key:
            raise UsageError("sending to Datadog needs DD_API_KEY", remedy="set it, and DD_SITE for another site")
        return cls(key, "")
