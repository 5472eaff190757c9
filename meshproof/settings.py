"""One typed object for a run: options > environment > meshproof.toml > defaults."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from meshproof.errors import UsageError
from meshproof.timeouts import Timeouts

__all__ = ["DatadogChoice", "ImageChoice", "Settings", "Strictness", "TracingChoice", "load_settings"]


class ImageChoice(StrEnum):
    """Where container images come from; `auto` asks whether a registry can be reached."""

    REGISTRY = "registry"
    SOURCE = "source"
    AUTO = "auto"


class DatadogChoice(StrEnum):
    """Where the agents send and the suites ask: the embedded intake in the cluster, or Datadog itself."""

    INTAKE = "intake"
    SAAS = "saas"


class TracingChoice(StrEnum):
    """How Istio is told to trace: by a provider and the Telemetry API, or by the bootstrap of every proxy."""

    TELEMETRY = "telemetry"
    LEGACY = "legacy"


class Strictness(StrEnum):
    """How finely and how surely traffic is judged: as a gate for every change, or as a nightly one."""

    GATE = "gate"
    NIGHTLY = "nightly"


def _base_directory(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback) / "meshproof"


class Settings(BaseSettings):
    """Everything that a run can be told. Immutable; unknown names are refused."""

    model_config = SettingsConfigDict(
        env_prefix="MESHPROOF_",
        env_nested_delimiter="__",
        toml_file="meshproof.toml",
        frozen=True,
        extra="forbid",
    )

    cluster_name: str = "cluster-istio"
    images: ImageChoice = ImageChoice.AUTO
    keep_cluster: bool = False
    kubeconfig: Path | None = None
    context: str | None = None
    workers: int = Field(default=0, ge=0, le=9)
    kubernetes: str = "1.36.3"
    metallb: str = "0.15.2"
    pool: str | None = None
    datadog: DatadogChoice = DatadogChoice.INTAKE
    tracing: TracingChoice = TracingChoice.TELEMETRY
    strictness: Strictness = Strictness.GATE
    reports: Path = Path("reports")
    send_results: bool = False
    cache: Path = Field(default_factory=lambda: _base_directory("XDG_CACHE_HOME", ".cache"))
    state: Path = Field(default_factory=lambda: _base_directory("XDG_STATE_HOME", ".local/state"))
    kind_bin: Path | None = None
    kind_image: str | None = None
    timeouts: Timeouts = Timeouts()

    @property
    def borrowed(self) -> bool:
        """Whether the run was given a cluster instead of making one."""
        return self.kubeconfig is not None or self.context is not None

    @field_validator("cluster_name")
    @classmethod
    def _is_a_kind_name(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,49}", value):
            raise ValueError(
                "use at most 50 lower-case letters, digits, dots and dashes, starting with a letter or digit"
            )
        return value

    @field_validator("kubernetes", "metallb")
    @classmethod
    def _is_a_version(cls, value: str) -> str:
        value = value.removeprefix("v")
        if not re.fullmatch(r"\d+\.\d+\.\d+", value):
            raise ValueError("use a version such as 1.36.3")
        return value

    @model_validator(mode="after")
    def _one_cluster_only(self) -> Settings:
        if self.borrowed and self.workers:
            raise ValueError("workers: a borrowed cluster has the nodes that it has; leave out --workers")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(**options: Any) -> Settings:
    """Settings from the options that were given (None means: not given), the environment and meshproof.toml.

    Raises UsageError that names the field, the value and what would be right.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "options"
        raise UsageError(
            f"setting {field}: {first['msg'].removeprefix('Value error, ')}",
            seen=repr(first.get("input")) if first["loc"] else None,
            remedy=f"correct --{field.replace('_', '-')}, MESHPROOF_{field.upper()} or {field} in meshproof.toml",
        ) from error
    except ValueError as error:  # an unreadable meshproof.toml
        raise UsageError("meshproof.toml cannot be read", seen=error, remedy="correct the file or remove it") from error
