"""One typed object for a run: options > environment > meshproof.toml > defaults."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from meshproof.errors import UsageError
from meshproof.pool import Range
from meshproof.secrecy import shown
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


_FILE = Path("meshproof.toml")
_PREFIX = "MESHPROOF_"
_PARTS = "__"


def _base_directory(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback) / "meshproof"


class Settings(BaseSettings):
    """Everything that a run can be told. Immutable; unknown names are refused."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter=_PARTS,
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
    pool: Range | None = None
    datadog: DatadogChoice = DatadogChoice.INTAKE
    tracing: TracingChoice = TracingChoice.TELEMETRY
    strictness: Strictness = Strictness.GATE
    requests: int | None = Field(default=None, ge=100, le=1_000_000)
    """Of a comparison of latencies, where not as many as the strictness asks for."""
    soak_seconds: float = Field(default=600, ge=180, le=7200)
    soak_may_lose: dict[str, int] = Field(default_factory=dict)
    night_seconds: float = Field(default=5400, gt=0, le=604_800)
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
        if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4}){2}", value):
            raise ValueError("use a version such as 1.36.3")
        return value

    @field_validator("kind_image")
    @classmethod
    def _is_a_reference(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}", value):
            raise ValueError("use an image's reference such as kindest/node:v1.36.3")
        return value

    @field_validator("context")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and (not value.strip() or not value.isprintable()):
            raise ValueError("use the name of a context in the kubeconfig")
        return value

    @field_validator("workers", mode="before")
    @classmethod
    def _is_a_number(cls, value: object) -> object:
        if isinstance(value, bool):
            raise ValueError("use a number")
        return value

    @field_validator("workers")
    @classmethod
    def _has_no_borrowed_nodes(cls, value: int, others: ValidationInfo) -> int:
        borrowed = [name for name in ("kubeconfig", "context") if others.data.get(name) is not None]
        if value and borrowed:
            raise ValueError(f"a cluster given by {borrowed[0]} has the nodes that it has; leave out --workers")
        return value

    @field_validator("kubeconfig", "reports", "cache", "state", "kind_bin", mode="before")
    @classmethod
    def _is_a_path(cls, value: object) -> object:
        if not isinstance(value, str | Path):
            return value
        if not str(value).strip():
            raise ValueError("name a path, or leave it out")
        try:
            path = Path(value).expanduser()
            path.exists()
        except OSError as error:
            raise ValueError(f"this path cannot be used: {error.strerror}") from error
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"this path cannot be used: {error}") from error
        return path

    @field_validator("kubeconfig", "kind_bin")
    @classmethod
    def _is_no_folder(cls, value: Path | None) -> Path | None:
        if value is not None and value.is_dir():
            raise ValueError("this is a folder; name a file")
        return value

    @field_validator("kind_bin")
    @classmethod
    def _is_a_program(cls, value: Path | None) -> Path | None:
        if value is not None and not os.access(value, os.X_OK):
            raise ValueError("this is no program; name the file of the kind program")
        return value

    @field_validator("reports", "cache", "state")
    @classmethod
    def _can_be_a_folder(cls, value: Path) -> Path:
        there = next((path for path in (value, *value.parents) if path.exists()), None)
        if there is not None and not there.is_dir():
            raise ValueError(f"{there} is a file; name a folder")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, InitSettingsSource(settings_cls, dict(_of_file()))


def load_settings(**options: Any) -> Settings:
    """Settings from the options that were given (None means: not given), the environment and meshproof.toml.

    Raises UsageError that names the field as it was written, the value and what would be right.
    """
    given = {name: value for name, value in options.items() if value is not None}
    _refuse_unknown_variables()
    try:
        return Settings(**given)
    except ValidationError as error:
        raise _told(error.errors(include_url=False)[0], given) from error
    except SettingsError as error:  # what should be JSON and is not
        found = re.search(r'field "(\w+)"', str(error))
        field = found[1] if found else "timeouts"
        name = f"{_PREFIX}{field.upper()}"
        one_timeout = f"set one timeout at a time, like {name}{_PARTS}ROLLOUT=300"
        raise UsageError(
            f"setting {field}: {name} is not JSON",
            seen=shown(_variables().get(name)),
            remedy=one_timeout if field == "timeouts" else f"write {name} as JSON, like {{}}",
        ) from error


def _of_file() -> dict[str, Any]:
    """What meshproof.toml says; nothing when there is none."""
    if not _FILE.exists() and not _FILE.is_symlink():
        return {}
    remedy = "correct the file or remove it"
    try:
        return tomllib.loads(_FILE.read_bytes().decode())
    except OSError as error:
        raise UsageError(f"{_FILE} cannot be read", seen=error.strerror, remedy=remedy) from error
    except UnicodeDecodeError as error:
        seen = f"byte {error.object[error.start]:#04x} at {error.start}"
        raise UsageError(f"{_FILE} cannot be read: it is not UTF-8", seen=seen, remedy=remedy) from error
    except RecursionError as error:
        raise UsageError(f"{_FILE} cannot be read", seen="too many brackets in one another", remedy=remedy) from error
    except ValueError as error:
        raise UsageError(f"{_FILE} cannot be read", seen=str(error)[:200], remedy=remedy) from error


def _variables() -> dict[str, str]:
    """Our environment variables by their names in capitals, which may be written in any case."""
    return {name.upper(): value for name, value in os.environ.items() if name.upper().startswith(_PREFIX)}


def _refuse_unknown_variables() -> None:
    """A setting whose name is misspelt would be left out in silence."""
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name in os.environ:
        if name.upper().startswith(_PREFIX) and name.upper().partition(_PARTS)[0] not in known:
            raise UsageError(
                f"there is no setting {name}",
                seen=shown(os.environ[name], name=name),
                remedy=f"unset it, or {_choice(name.upper(), known)}",
            )


def _told(error: ErrorDetails, given: Mapping[str, Any]) -> UsageError:
    parts = [str(part) for part in error["loc"]]
    field = shown(".".join(parts))[1:-1]
    where = _written(parts, given)
    problem = error["msg"].removeprefix("Value error, ")
    remedy = f"correct {where}"
    if error["type"] == "extra_forbidden":
        problem = "there is no such setting"
        known = Timeouts.model_fields if parts[0] == "timeouts" else Settings.model_fields
        remedy = f"remove {where}, or {_choice(parts[-1], known)}"
    return UsageError(f"setting {field}: {problem}", seen=shown(error.get("input"), name=parts[-1]), remedy=remedy)


def _written(parts: list[str], given: Mapping[str, Any]) -> str:
    """A field as the user wrote it, where its value came from."""
    if parts[0] in given:
        return f"--{parts[0].replace('_', '-')}"
    whole = f"{_PREFIX}{_PARTS.join(parts)}".upper()
    for name in os.environ:
        if name.upper() in (whole, f"{_PREFIX}{parts[0]}".upper()):
            return f"{name} in the environment"
    name = parts[-1] if re.fullmatch(r"[\w-]+", parts[-1]) else shown(parts[-1])
    return f"{name} in {_FILE}" if len(parts) == 1 else f"{name} below [{parts[0]}] in {_FILE}"


def _choice(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"write {close[0]}" if close else f"choose among {', '.join(sorted(known))}"
