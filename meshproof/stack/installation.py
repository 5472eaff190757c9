"""Setting up the stack, finding one that stands, and removing it from a borrowed cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import meshproof
from meshproof.errors import MeshproofError
from meshproof.settings import DatadogChoice
from meshproof.stack import installed
from meshproof.stack.apps import Apps, Outside, Routes
from meshproof.stack.borrowed import refuse_conflicts
from meshproof.stack.certificates import Authority
from meshproof.stack.component import Component
from meshproof.stack.context import StackContext
from meshproof.stack.datadog import DatadogAgent, DatadogOperator
from meshproof.stack.foundations import ClusterDns, Definitions, Namespaces, ServiceNetwork
from meshproof.stack.gateway import Gateway, GatewayAddress
from meshproof.stack.graph import GROUP, Graph
from meshproof.stack.installed import Installed
from meshproof.stack.intake import DatadogKeys, Intake
from meshproof.stack.istio import Istio, Tracing
from meshproof.stack.metallb import AddressPool, MetalLB
from meshproof.stack.storage import Storage
from meshproof.timeline import Timeline

__all__ = ["set_up", "tear_down"]


def set_up(context: StackContext, timeline: Timeline, *, extra: Sequence[Component] = ()) -> Installed:
    """Install the stack, with `extra` components beside it, and return when everything is ready.

    A stack that stands is returned as it is: nothing is applied and nothing waited for, since whoever broke something
    in it on purpose wants to see the tests fail.

    Raises UsageError before anything is applied when the cluster does not fit; ComponentFailed.
    """
    standing = installed.describe(context.cluster)
    if standing is not None:
        with timeline.step("stack", group=GROUP) as step:
            changed = "" if standing.content == context.content() else "; the manifests have changed since, not applied"
            step.skip(f"stands since {standing.installed_at}, run {standing.run_id}{changed}")
        return standing
    stack = _Stack.of(context)
    graph = Graph([*stack.components, *extra])
    with timeline.step("checks", group=GROUP):
        for component in graph.order:
            component.check(context)
        if context.settings.borrowed:
            refuse_conflicts(context, graph.order)
    installed.record(context.cluster, context.run_id, None)
    graph.install(context, timeline)
    result = Installed(
        run_id=context.run_id,
        versions={
            "meshproof": meshproof.__version__,
            "kubernetes": context.cluster.server_version(),
            "istio": context.istio_tag,
            "metallb": context.settings.metallb,
            "datadog-operator": stack.operator.version(context),
            "datadog-agent": stack.agent.version(context) + (" (stand-in)" if context.from_source else ""),
        },
        content=context.content(),
        pool=context.pool,
        gateway_address=stack.address.address(context),
        gateway_authority=stack.authority.pair.certificate,
    )
    installed.record(context.cluster, context.run_id, result)
    return result


def tear_down(context: StackContext, timeline: Timeline, *, extra: Sequence[Component] = ()) -> None:
    """Delete from a borrowed cluster what run `context.run_id` installed, in reverse order.

    Goes on after an error and raises the first one at the end.
    """
    graph = Graph([*_Stack.of(context).components, *extra])
    errors: list[MeshproofError] = []
    for component in reversed(graph.order):
        try:
            with timeline.step(f"remove {component.name}", group=GROUP):
                component.remove(context)
        except MeshproofError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    installed.forget(context.cluster, context.run_id)


@dataclass(frozen=True)
class _Stack:
    """All components, and those of them that are asked afterwards what there is."""

    components: tuple[Component, ...]
    authority: Authority
    address: GatewayAddress
    operator: DatadogOperator
    agent: DatadogAgent

    @classmethod
    def of(cls, context: StackContext) -> _Stack:
        authority = Authority.create("meshproof gateway authority")
        address, metallb, istio, operator = GatewayAddress(authority), MetalLB(), Istio(), DatadogOperator()
        intake = Intake() if context.settings.datadog is DatadogChoice.INTAKE else None
        agent = DatadogAgent(sends_to=intake)
        components = [
            ServiceNetwork(),
            ClusterDns(),
            Namespaces(),
            Definitions("CRDs", [istio, metallb]),
            Definitions("datadog CRDs", [operator]),
            istio,
            metallb,
            Storage(),
            Outside(),
            DatadogKeys(),
            *([intake] if intake else []),
            operator,
            AddressPool(metallb),
            Gateway(authority),
            Routes(),
            Tracing(),
            Apps(),
            agent,
            address,
        ]
        return cls(tuple(components), authority, address, operator, agent)
