"""From a kubeconfig to the client library's configuration."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config

from meshproof.kube.errors import UnknownContext, UnreadableKubeconfig

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
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            seen = error.strerror if isinstance(error, OSError) else error
            raise UnreadableKubeconfig(
                f"cannot read kubeconfig {path}", seen=seen, remedy="correct the path or file"
            ) from error
        if not isinstance(document, dict):
            raise UnreadableKubeconfig(
                f"{path} is not a kubeconfig", seen=repr(document)[:80], remedy="correct the path"
            )
        for entry in document.get("contexts") or []:
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
    except (config.ConfigException, OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableKubeconfig(
            f"{where}, context {chosen}, cannot be used", seen=error, remedy="correct the kubeconfig"
        ) from error
    configuration.connection_pool_maxsize = _POOL_SIZE
    return Access(chosen, configuration)


def _shown(kubeconfig: Path | None) -> str:
    return os.pathsep.join(str(path) for path in _files(kubeconfig))


def _files(kubeconfig: Path | None) -> list[Path]:
    if kubeconfig is not None:
        return [kubeconfig.expanduser()]
    listed = [Path(part).expanduser() for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [path for path in listed if path.exists()] or listed or [Path.home() / ".kube" / "config"]


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "no contexts at all"
