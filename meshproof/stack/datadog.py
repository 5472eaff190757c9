"""Datadog's operator, and the agents that it makes of one DatadogAgent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import httpx

from meshproof.errors import UsageError
from meshproof.manifests import Manifest, load_manifests
from meshproof.settings import DatadogChoice
from meshproof.stack.component import Component, NotYet
from meshproof.stack.context import StackContext, run_of
from meshproof.stack.foundations import DATADOG_NAMESPACE, without_definitions
from meshproof.stack.overlay import lay_over
from meshproof.stack.rollout import expect_rolled_out
from meshproof.timeline import Step
from meshproof.waiting import eventually

__all__ = ["DatadogAgent", "DatadogOperator"]

_DEFINITIONS = ("datadogagents", "datadogagentinternals")
_ROLE = "manager-role"
_COMPONENT_LABEL = "agent.datadoghq.com/component"
_INTERNAL = ("DatadogAgentInternal", "datadoghq.com/v1alpha1")
_RECONCILE_ERROR = "DatadogAgentReconcileError"
_TRACE_PORT = 8126
_LOOK_SECONDS = 2.0


class DatadogOperator(Component):
    """Its own CRDs and rights, of the sources that its image is made of, and our Deployment."""

    name = "datadog operator"
    after = frozenset({"datadog CRDs", "namespaces", "service network"})

    def manifests(self, context: StackContext) -> list[Manifest]:
        """CRDs and ClusterRole from the operator's module, the rest from operator.yaml."""
        source = context.operator_manifests / "config"
        definitions = [source / "crd" / "bases" / "v1" / f"datadoghq.com_{name}.yaml" for name in _DEFINITIONS]
        own = _for_backend(context, context.load("datadog/operator.yaml"))
        (name,) = {m["roleRef"]["name"] for m in own if m["kind"] == "ClusterRoleBinding"}
        roles = [role for role in load_manifests([source / "rbac" / "role.yaml"]) if role["metadata"]["name"] == _ROLE]
        for role in roles:
            role["metadata"]["name"] = name
        return [*load_manifests(definitions), *roles, *own]

    def install(self, context: StackContext, step: Step) -> None:
        """Apply all but the CRDs, which are there."""
        manifests = without_definitions(self.objects(context))
        step.note(f"applying {len(manifests)} objects")
        context.apply(manifests)

    def ready(self, context: StackContext) -> None:
        """It is rolled out."""
        for workload in self.objects(context):
            if workload["kind"] == "Deployment":
                expect_rolled_out(context.cluster, workload, can_pull=not context.from_source)

    def summary(self, context: StackContext) -> str:
        """Its version."""
        return f"v{self.version(context)}"

    def version(self, context: StackContext) -> str:
        """The tag of its image."""
        (image,) = {container["image"] for container in _containers(self.objects(context))}
        return str(image.rpartition(":")[2])


class DatadogAgent(Component):
    """Ready when everything that the operator makes of it is rolled out, and every agent takes traces.

    Istio comes first: an agent that lacks its annotation is to be given a sidecar, and not to slip in before.
    """

    name = "datadog agent"
    after = frozenset({"datadog operator", "datadog keys", "istio", "cluster dns"})

    def __init__(self, *, sends_to: Component | None) -> None:
        """`sends_to` is what has to be there before agents begin to send."""
        if sends_to is not None:
            self.after = self.after | {sends_to.name}

    def manifests(self, context: StackContext) -> list[Manifest]:
        """The DatadogAgent, as it is for the backend of this run."""
        return _for_backend(context, context.load("datadog/datadog-agent.yaml"))

    def check(self, context: StackContext) -> None:
        """On a borrowed cluster the operator must find no ClusterRole of the names that it writes to."""
        for agent in self.objects(context) if context.settings.borrowed else ():
            roles = [_role(agent, suffix) for suffix in ("agent", "cluster-agent", "cluster-checks-runner")]
            found = [role for role in roles if context.find(role) is not None]
            if found and run_of(context.find(agent)) is None:
                raise UsageError(
                    "another Datadog agent is in the borrowed cluster, or was: the operator would overwrite its rights",
                    seen=", ".join(f"ClusterRole {role['metadata']['name']}" for role in found),
                    remedy="use a cluster without Datadog, or leave out --kubeconfig and --context to have one made",
                )

    def ready(self, context: StackContext) -> None:
        """Look at the operator's own objects, and ask every trace-agent."""
        for agent in self.objects(context):
            _expect_reconciled(context, agent)
            for workload in _workloads(agent):
                expect_rolled_out(context.cluster, workload, can_pull=not context.from_source)
            for pod in _agents(context):
                _expect_traces_taken(context, pod)

    def summary(self, context: StackContext) -> str:
        """How many, of which version."""
        agents = len(_agents(context))
        return f"{self.version(context)} on {agents} {'node' if agents == 1 else 'nodes'}"

    def version(self, context: StackContext) -> str:
        """The tag of the node agents' image."""
        (agent,) = self.objects(context)
        return str(agent["spec"]["override"]["nodeAgent"]["image"]["tag"])

    def diagnose(self, context: StackContext) -> dict[str, str]:
        """What the operator says about it, and the pods."""
        evidence = {}
        for agent in self.objects(context):
            conditions = _conditions(context.find(agent))
            lines = [f"{c.get('type')} {c.get('status')}: {c.get('message')}" for c in conditions]
            evidence[f"conditions of DatadogAgent {agent['metadata']['name']}"] = "\n".join(lines) or "none"
        return {**evidence, **super().diagnose(context)}

    def remove(self, context: StackContext) -> None:
        """Delete it, and wait until the operator has taken away what it made of it."""
        super().remove(context)
        kind, version = _INTERNAL
        eventually(
            lambda: (
                not context.cluster.list(kind, DATADOG_NAMESPACE, api_version=version)
                and not context.cluster.list("Pod", DATADOG_NAMESPACE, labels=_COMPONENT_LABEL, api_version="v1")
            ),
            timeout=context.settings.timeouts.object_gone,
            what="the operator has removed the agents",
        )


def _for_backend(context: StackContext, manifests: list[Manifest]) -> list[Manifest]:
    """The manifests, which lead to the intake, or with the overlay that makes them lead to Datadog's site."""
    if context.settings.datadog is DatadogChoice.INTAKE:
        return manifests
    kinds = {manifest["kind"] for manifest in manifests}
    overlays = [overlay for overlay in context.load("datadog/overlay-saas.yaml") if overlay["kind"] in kinds]
    for overlay in overlays:
        if overlay["kind"] == "DatadogAgent":
            overlay["spec"]["global"]["site"] = context.datadog_site
    return lay_over(manifests, overlays)


def _containers(manifests: Iterable[Manifest]) -> Iterator[dict[str, Any]]:
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            yield from manifest["spec"]["template"]["spec"]["containers"]


def _workloads(agent: Manifest) -> Iterator[Manifest]:
    """What the operator makes of a DatadogAgent, by its own rule for names."""
    name, namespace = agent["metadata"]["name"], agent["metadata"]["namespace"]
    kinds = [("DaemonSet", "agent"), ("Deployment", "cluster-agent")]
    if agent["spec"]["features"].get("clusterChecks", {}).get("useClusterChecksRunners"):
        kinds.append(("Deployment", "cluster-checks-runner"))
    for kind, suffix in kinds:
        metadata = {"name": f"{name}-{suffix}", "namespace": namespace}
        yield {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata}


def _role(agent: Manifest, suffix: str) -> Manifest:
    name = f"{agent['metadata']['name']}-{suffix}"
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}}


def _conditions(agent: Manifest | None) -> list[dict[str, Any]]:
    return list(((agent or {}).get("status") or {}).get("conditions") or [])


def _expect_reconciled(context: StackContext, agent: Manifest) -> None:
    for condition in _conditions(context.find(agent)):
        if condition.get("type") == _RECONCILE_ERROR and condition.get("status") == "True":
            raise NotYet(f"the operator cannot do what is asked: {condition.get('message')}")


def _agents(context: StackContext) -> list[str]:
    pods = context.cluster.list("Pod", DATADOG_NAMESPACE, labels=f"{_COMPONENT_LABEL}=agent", api_version="v1")
    return [pod["metadata"]["name"] for pod in pods if not pod["metadata"].get("deletionTimestamp")]


def _expect_traces_taken(context: StackContext, pod: str) -> None:
    """The trace-agent has no probe of its own that would say so."""
    try:
        with (
            context.cluster.forward(DATADOG_NAMESPACE, pod, _TRACE_PORT) as address,
            httpx.Client(trust_env=False, timeout=_LOOK_SECONDS) as client,
        ):
            answer = client.get(f"http://{address}/info")
    except httpx.HTTPError as error:
        raise NotYet(f"{pod} takes no traces: {type(error).__name__}") from error
    if answer.status_code != httpx.codes.OK:
        raise NotYet(f"{pod} takes no traces: HTTP {answer.status_code}")
