"""What the suites ask Datadog, whichever of the two it is: the embedded intake of the cluster, or the real one."""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

import yaml

from meshproof.errors import InvalidMeasurement, MeshproofError
from meshproof.files import fixtures_folder
from meshproof.intake.backend import Backend, LogLine, Span
from meshproof.intake.client import IntakeControl
from meshproof.intake.pipeline_api import remove_pipelines, set_pipelines
from meshproof.keys import Keys, site_of
from meshproof.kube import Cluster
from meshproof.manifests import load_manifests
from meshproof.mesh import Mesh
from meshproof.probe.inventory import Pod, pods
from meshproof.settings import DatadogChoice, ImageChoice, Settings
from meshproof.waiting import StateNotReached, eventually

__all__ = ["DATADOG", "ENV", "Datadog", "intake_of", "keys_for", "log_pipelines", "own_log_pipelines", "watching"]

DATADOG = "datadog"
"""The namespace of the operator, the agents and the intake; also the name of the DatadogAgent."""
ENV = "meshproof"
"""The tag `env` of everything that the stack sends."""
_INTAKE_PORT = 8080
_NOT_DONE = "kind:check_run name:meshproof.stand_in.not_done"

T = TypeVar("T")


@dataclass
class Datadog:
    """Datadog as it sees this mesh. `since` is where every question about this session begins."""

    mesh: Mesh
    backend: Backend
    mode: DatadogChoice
    intake: IntakeControl | None
    since: datetime

    @property
    def deadline(self) -> float:
        """Seconds within which what was sent has to be found."""
        timeouts = self.mesh.timeouts
        return timeouts.searchable if self.mode is DatadogChoice.INTAKE else timeouts.searchable_saas

    def agents(self) -> tuple[Pod, ...]:
        """The node agents' pods."""
        found = pods(self.mesh.cluster, DATADOG, {"agent.datadoghq.com/component": "agent"})
        return tuple(pod for pod in found if not pod.leaving)

    @property
    def is_stand_in(self) -> bool:
        """Whether the agents are the stand-in that is built where Datadog's own image cannot be pulled."""
        return self.mesh.bed.source == ImageChoice.SOURCE.value

    @cached_property
    def left_out(self) -> Mapping[str, str]:
        """What this agent says that it does not do, and why; nothing for Datadog's own.

        Raises InvalidMeasurement when the stand-in has not said it.
        """
        if not self.is_stand_in or self.intake is None:
            return {}
        found = self.intake.documents(_NOT_DONE)
        if not found:
            raise InvalidMeasurement("the agent's stand-in has not told what it does not do")
        return {feature: str(run["content"].get("message", "")) for run in found for feature in _features(run)}

    def spans(self, query: str, *, until: Callable[[list[Span]], object], what: str) -> list[Span]:
        """The spans that match, asked for again until `until` holds or the deadline has passed.

        The last answer is returned either way: to judge it is the check's part.
        """
        return self._asked(lambda: self.backend.spans(query, self.since), until, what)

    def logs(self, query: str, *, until: Callable[[list[LogLine]], object], what: str) -> list[LogLine]:
        """The log lines that match, in the same way."""
        return self._asked(lambda: self.backend.logs(query, self.since), until, what)

    def _asked(self, ask: Callable[[], list[T]], until: Callable[[list[T]], object], what: str) -> list[T]:
        """Raises InvalidMeasurement when the backend has not answered even once."""
        answers: list[list[T]] = []

        def look() -> bool:
            answers[:] = [ask()]
            return bool(until(answers[0]))

        try:
            eventually(look, timeout=self.deadline, what=what, every=self.backend.poll_seconds)
        except StateNotReached as error:
            if not answers:
                raise InvalidMeasurement(f"the backend was not to be asked: {what}", seen=error.seen) from error
        return answers[0]


def keys_for(settings: Settings) -> Keys:
    """The keys of a new installation: minted for the intake, the user's for Datadog itself.

    Raises UsageError when these are missing or not accepted, before anything is created; MeshproofError when Datadog
    cannot be reached.
    """
    if settings.datadog is DatadogChoice.INTAKE:
        return Keys.minted()
    keys = Keys.of_environment(os.environ)
    backend = Backend.of_saas(keys, site_of(os.environ))
    try:
        backend.validate()
    finally:
        backend.close()
    return keys


def log_pipelines() -> list[dict[str, Any]]:
    """The log pipelines of fixtures/manifests/datadog, in the shapes of Datadog's API."""
    (config_map,) = load_manifests([fixtures_folder() / "manifests" / "datadog" / "log-pipelines.yaml"])
    return list(yaml.safe_load(config_map["data"]["log-pipelines.yaml"]))


@contextmanager
def own_log_pipelines(settings: Settings, keys: Keys, *, stay: bool) -> Iterator[None]:
    """Our log pipelines in Datadog for the length of the block, or for good if they are to `stay`.

    The embedded intake has them from its ConfigMap: nothing is done then.
    """
    if settings.datadog is DatadogChoice.INTAKE:
        yield
        return
    backend = Backend.of_saas(keys, site_of(os.environ))
    try:
        set_pipelines(backend, log_pipelines())
        yield
        if not stay:
            remove_pipelines(backend, [str(pipeline["name"]) for pipeline in log_pipelines()])
    finally:
        backend.close()


@contextmanager
def watching(mesh: Mesh) -> Iterator[Datadog]:
    """Datadog for the length of the block.

    Raises InvalidMeasurement when no intake runs in the cluster.
    """
    mode = mesh.settings.datadog
    if mode is DatadogChoice.SAAS:
        backend = Backend.of_saas(Keys.of_environment(os.environ), site_of(os.environ))
        try:
            yield Datadog(mesh, backend, mode, None, mesh.began)
        finally:
            backend.close()
        return
    with intake_of(mesh.cluster) as (address, keys):
        backend = Backend.of_intake(f"http://{address}", keys.api)
        control = IntakeControl(f"http://{address}", keys.api)
        try:
            yield Datadog(mesh, backend, mode, control, mesh.began)
        finally:
            control.close()
            backend.close()


@contextmanager
def intake_of(cluster: Cluster) -> Iterator[tuple[str, Keys]]:
    """The address of a cluster's intake, host and port, and its keys, for the length of the block.

    Raises InvalidMeasurement when none runs there.
    """
    keys = _stored_keys(cluster)
    ready = [pod for pod in pods(cluster, DATADOG, {"app": "intake"}) if pod.is_ready]
    if not ready:
        raise InvalidMeasurement(f"no pod of {DATADOG}/intake is ready")
    with cluster.forward(DATADOG, ready[0].name, _INTAKE_PORT) as address:
        yield address, keys


def _stored_keys(cluster: Cluster) -> Keys:
    """The keys that the agents use, as the cluster keeps them."""
    secret = cluster.get("Secret", "datadog-secret", DATADOG, "v1")
    if secret is None:
        raise InvalidMeasurement("there is no Secret datadog/datadog-secret, so the backend cannot be asked")
    try:
        values = {name: b64decode(text).decode() for name, text in (secret.get("data") or {}).items()}
        return Keys(values["api-key"], values["app-key"])
    except (KeyError, ValueError) as error:
        raise MeshproofError("Secret datadog/datadog-secret lacks api-key or app-key") from error


def _features(document: Mapping[str, object]) -> Iterator[str]:
    tags = document.get("tags")
    for tag in tags if isinstance(tags, list) else ():
        name, _, value = str(tag).partition(":")
        if name == "feature":
            yield value
