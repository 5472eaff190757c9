"""When a change is in force, and when the mesh is well again."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import floor, inf

from meshproof.labels import SESSION_LABEL
from meshproof.manifests import Manifest
from meshproof.mend.references import Reference
from meshproof.mesh import MESH_NAMESPACES, WATCHED_NAMESPACES, Mesh
from meshproof.probe import Request
from meshproof.probe.controllers import leaderless
from meshproof.probe.inventory import Pod
from meshproof.prove.changes import touched
from meshproof.prove.mutants import Mutant
from meshproof.stack.component import NotYet
from meshproof.stack.rollout import missing_rollout
from meshproof.waiting import eventually

__all__ = [
    "awake",
    "concerns_addresses",
    "concerns_proxies",
    "gathered",
    "generations",
    "namespaces_of",
    "reachable",
    "settled",
    "wait_until_seen",
]

_WORKLOADS = {"Deployment": "apps/v1", "DaemonSet": "apps/v1"}
# istiod gathers changes until none has come for 100 ms (PILOT_DEBOUNCE_AFTER). From a change to a proxy that holds it
# it took between 0.14 and 0.31 s on two cores.
_GATHERED_SECONDS = 1.0
_ENDED = ("Succeeded", "Failed")
_OPERATED = "DatadogAgent"
_APART_FROM_PROXIES = ("metallb.io", "storage.k8s.io", "datadoghq.com")
"""API groups whose objects have no part in what proxies are sent, but for where an agent is; that is known as soon as
it is ready."""


def concerns_proxies(mutant: Mutant) -> bool:
    """Whether what a mutant does can change what istiod sends to proxies: faults, nodes, addresses, agents do not."""

    def apart(reference: Reference) -> bool:
        return reference.kind == "Node" or reference.api_version.partition("/")[0] in _APART_FROM_PROXIES

    ended = any(step.end is not None for step in mutant.steps)
    return ended or not all(apart(reference) for reference in touched(mutant))


def concerns_addresses(mutant: Mutant) -> bool:
    """Whether what a mutant does can take the gateway's address away, or lead it elsewhere."""
    return any(
        reference.api_version.partition("/")[0] == "metallb.io"
        or reference.kind in ("Node", "Service")
        or reference.name == "istio-ingressgateway"
        for reference in touched(mutant)
    )


def reachable(mesh: Mesh) -> None:
    """Wait until the gateway's address answers here: MetalLB takes a while to announce it again.

    Raises StateNotReached.
    """

    request = Request("http://gateway/", timeout=2.0)
    eventually(
        lambda: mesh.through_gateway(request),
        timeout=mesh.timeouts.rollout,
        what="the gateway's address answers",
    )


def generations(mesh: Mesh) -> dict[str, int]:
    """How often each workload of the mesh was changed so far."""
    return {_key(workload): workload["metadata"]["generation"] for workload in _workloads(mesh)}


def wait_until_seen(mesh: Mesh, changed: Iterable[Reference], before: Mapping[str, int]) -> None:
    """Wait until the operator has passed a changed DatadogAgent on to a workload.

    Raises StateNotReached.
    """
    if not any(reference.kind == _OPERATED for reference in changed):
        return

    def passed_on() -> bool:
        now = generations(mesh)
        return any(now[key] != before.get(key) for key in now if key.startswith("datadog/"))

    eventually(passed_on, timeout=mesh.timeouts.configuration_sync, what="the operator has passed the change on")


def namespaces_of(mutant: Mutant) -> set[str]:
    """Where a mutant can change workloads and pods: in the namespaces that its steps name, or anywhere when it does not
    say which parts of the mesh it touches."""
    if mutant.touches is None:
        return {*MESH_NAMESPACES}
    named = {it.name if it.kind == "Namespace" else it.namespace for it in touched(mutant)}
    named |= {pods.namespace for step in mutant.steps for pods in (step.end, step.gone, step.run) if pods is not None}
    return {namespace for namespace in MESH_NAMESPACES if namespace in named}


def settled(
    mesh: Mesh,
    *,
    rolled_out: bool = True,
    proxies: bool = True,
    namespaces: Collection[str] = MESH_NAMESPACES,
    gone_from: Collection[str] = MESH_NAMESPACES,
) -> None:
    """Wait until every workload of these namespaces is rolled out, no pod is on its way out where it would be missed or
    met, and every proxy has what istiod sent; before that, until somebody is there who would roll them out.

    With `rolled_out` false workloads need only have been seen by their controllers: new pods may never get ready. With
    `proxies` false nothing has changed for them. `gone_from` are the namespaces where pods on their way out matter.

    Raises StateNotReached.
    """

    def look() -> bool:
        if idle := leaderless(mesh.cluster, inf, time.time()):
            raise NotYet("; ".join(idle))
        for workload in _workloads(mesh, namespaces):
            missing = missing_rollout(workload) if rolled_out else _unseen(workload)
            if missing:
                raise NotYet(f"{_key(workload)}: {missing}")
        left = [namespace for namespace in namespaces if namespace in gone_from]
        leaving = [pod.name for namespace in left for pod in mesh.all_pods(namespace) if pod.leaving]
        if leaving:
            raise NotYet(f"on their way out: {', '.join(leaving)}")
        return True

    what = "every workload of the mesh is rolled out" if rolled_out else "every change of a workload is seen"
    eventually(look, timeout=mesh.timeouts.rollout, what=what, every=0.5)
    if proxies:
        gathered()
        mesh.in_force()


def gathered() -> None:
    """Wait until istiod sends proxies what has changed."""
    time.sleep(_GATHERED_SECONDS)


def awake(mesh: Mesh, nodes_started: float) -> None:
    """Wait until every pod runs anew and is ready, after its node was started at a moment (seconds since 1970).

    Until a kubelet has looked at a pod, the API has it running and ready as it was before, and its workload rolled out.
    Raises StateNotReached.
    """

    def look() -> bool:
        asleep = [
            f"{pod.namespace}/{pod.name}"
            for namespace in WATCHED_NAMESPACES
            for pod in mesh.all_pods(namespace)
            if SESSION_LABEL not in pod.labels and pod.phase not in _ENDED and not _awake(pod, floor(nodes_started))
        ]
        if asleep:
            raise NotYet(f"{len(asleep)} pods not yet, such as {asleep[0]}")
        return True

    eventually(look, timeout=mesh.timeouts.component_ready, what="every pod of the kept cluster runs anew", every=0.5)


def _awake(pod: Pod, since: float) -> bool:
    return pod.is_ready and pod.runs_since is not None and pod.runs_since >= since


def _unseen(workload: Manifest) -> str | None:
    observed = (workload.get("status") or {}).get("observedGeneration", 0)
    return "not seen by its controller" if observed < workload["metadata"]["generation"] else None


def _workloads(mesh: Mesh, namespaces: Collection[str] = MESH_NAMESPACES) -> Sequence[Manifest]:
    return [
        workload
        for kind, version in _WORKLOADS.items()
        for namespace in namespaces
        for workload in mesh.cluster.list(kind, namespace, api_version=version)
    ]


def _key(workload: Manifest) -> str:
    return f"{workload['metadata']['namespace']}/{workload['metadata']['name']}"
