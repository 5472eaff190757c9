"""The embedded intake in the cluster, where agents send to in Datadog's place, and the keys that both sides know."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import httpx

from meshproof.manifests import Manifest
from meshproof.stack.component import Component, NotYet
from meshproof.stack.context import StackContext
from meshproof.stack.foundations import DATADOG_NAMESPACE
from meshproof.stack.rollout import expect_rolled_out
from meshproof.timeline import Step

__all__ = ["DatadogKeys", "Intake"]

_PORT = 8080
_LOOK_SECONDS = 5.0


class DatadogKeys(Component):
    """The Secret that agents and intake take their keys from."""

    name = "datadog keys"
    after = frozenset({"namespaces"})

    def manifests(self, _: StackContext) -> list[Manifest]:
        """The Secret without its contents, so that they stand in no list of objects."""
        metadata = {"name": "datadog-secret", "namespace": DATADOG_NAMESPACE}
        return [{"apiVersion": "v1", "kind": "Secret", "metadata": metadata}]

    def install(self, context: StackContext, step: Step) -> None:
        """Apply it with both keys."""
        (secret,) = self.manifests(context)
        step.note("two keys")
        keys = {"api-key": context.keys.api, "app-key": context.keys.application}
        data = {name: base64.b64encode(key.encode()).decode() for name, key in keys.items()}
        context.apply([{**secret, "data": data}])

    def summary(self, context: StackContext) -> str:
        """Whose they are."""
        return f"for {context.settings.datadog.value}"


class Intake(Component):
    """Ready when it is rolled out and tells its state to whoever has the key."""

    name = "intake"
    after = frozenset({"datadog keys", "storage"})
    files = ("datadog/log-pipelines.yaml", "datadog/intake.yaml")

    def ready(self, context: StackContext) -> None:
        """Ask it for its status."""
        for workload in self.objects(context):
            if workload["kind"] == "Deployment":
                expect_rolled_out(context.cluster, workload, can_pull=not context.from_source)
                labels = workload["spec"]["selector"]["matchLabels"]
                _expect_status(context, _pods(context, labels))

    def summary(self, context: StackContext) -> str:
        """Its version."""
        images = [
            container["image"]
            for workload in self.objects(context)
            if workload["kind"] == "Deployment"
            for container in workload["spec"]["template"]["spec"]["containers"]
        ]
        return ", ".join(image.rpartition("/")[2] for image in images)


def _pods(context: StackContext, labels: dict[str, str]) -> list[str]:
    selector = ",".join(f"{name}={value}" for name, value in labels.items())
    pods = context.cluster.list("Pod", DATADOG_NAMESPACE, labels=selector, api_version="v1")
    return [pod["metadata"]["name"] for pod in pods if not pod["metadata"].get("deletionTimestamp")]


def _expect_status(context: StackContext, pods: Sequence[str]) -> None:
    if not pods:
        raise NotYet("the intake has no pod")
    try:
        with (
            context.cluster.forward(DATADOG_NAMESPACE, pods[0], _PORT) as address,
            httpx.Client(trust_env=False, timeout=_LOOK_SECONDS) as client,
        ):
            headers = {"dd-api-key": context.keys.api}
            answer = client.get(f"http://{address}/meshproof/status", headers=headers)
    except httpx.HTTPError as error:
        raise NotYet(f"the intake does not answer: {type(error).__name__}") from error
    if answer.status_code != httpx.codes.OK:
        raise NotYet(f"the intake does not tell its status: HTTP {answer.status_code}")
