"""From a kubeconfig to the client library's configuration."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config

from meshproof.kube.errors import UnknownContext, UnreadableKubeconfig
from meshproof.secrecy import remember

__all__ = ["Access", "contexts", "load_access"]

_POOL_SIZE = 32


@dataclass(frozen=True)
class Access:
    """How to reach one cluster: the context's name, and a `kubernetes.client.Configuration` for it."""

    context: str
    configuration: Any

    @property
    def server(self) -> str:
        """The API server's URL."""
        return str(self.configuration.host)


def contexts(kubeconfig: Path | None) -> tuple[list[str], str | None]:
    """The contexts of a kubeconfig and the current one; None stands for $KUBECONFIG, or else ~/.kube/config.

    Raises UnreadableKubeconfig.
    """
    names: list[str] = []
    current: str | None = None
    for path in _files(kubeconfig):
        try:
            document = yaml.safe_load(path.read_text())
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise UnreadableKubeconfig(
                f"cannot read kubeconfig {path}", seen=_why(error), remedy="correct the path or file"
            ) from error
        entries = document.get("contexts") or [] if isinstance(document, dict) else None
        if not isinstance(document, dict) or not isinstance(entries, list):
            seen = f"a {type(document).__name__} without a list of contexts"
            raise UnreadableKubeconfig(f"{path} is not a kubeconfig", seen=seen, remedy="correct the path")
        for entry in entries:
            if isinstance(entry, dict) and entry.get("name") not in names:
                names.append(str(entry.get("name")))
        current = current or document.get("current-context") or None
    return names, current


def load_access(kubeconfig: Path | None, context: str | None) -> Access:
    """Access to the cluster of `context`, by default the kubeconfig's current one.

    Raises UnreadableKubeconfig and UnknownContext, which names the contexts that there are.
    """
    names, current = contexts(kubeconfig)
    chosen = context or current
    where = _shown(kubeconfig)
    if chosen is None:
        raise UnknownContext(f"{where} has no current context", seen=_listed(names), remedy="choose one with --context")
    if chosen not in names:
        raise UnknownContext(
            f"{where} has no context {chosen}", seen=_listed(names), remedy="choose one with --context"
        )
    configuration: Any = client.Configuration()
    try:
        config.load_kube_config(_shown(kubeconfig), chosen, configuration, persist_config=False)
        # Whatever the cluster answers and the client logs, these show nowhere.
        remember(
            configuration.password or "", *(words.split()[-1] for words in configuration.api_key.values() if words)
        )
    except (config.ConfigException, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnreadableKubeconfig(
            f"{where}, context {chosen}, cannot be used", seen=error, remedy="correct the kubeconfig"
        ) from error
    configuration.connection_pool_maxsize = _POOL_SIZE
    return Access(chosen, configuration)


def _why(error: Exception) -> str:
    """Without the lines of the file: they may hold a token."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}: " if mark is not None else ""
    return f"{where}{getattr(error, 'problem', None) or type(error).__name__}"


def _shown(kubeconfig: Path | None) -> str:
    return os.pathsep.join(str(path) for path in _files(kubeconfig))


def _files(kubeconfig: Path | None) -> list[Path]:
    if kubeconfig is not None:
        return [kubeconfig.expanduser()]
    listed = [Path(part).expanduser() for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [path for path in listed if path.exists()] or listed or [Path.home() / ".kube" / "config"]


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "no contexts at all"
