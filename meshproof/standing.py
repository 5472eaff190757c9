"""A mesh that stands for the length of a block: bed and stack put together, and what was made taken away again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from meshproof.bed import engine as engines
from meshproof.bed import lifecycle, namespace
from meshproof.bed.addresses import Pool
from meshproof.bed.images import load_catalogue, prepare_tools
from meshproof.bed.lifecycle import Bed
from meshproof.datadog import keys_for, own_log_pipelines
from meshproof.errors import UsageError
from meshproof.files import data_root
from meshproof.keys import Keys, site_of
from meshproof.kube import Cluster, ClusterError
from meshproof.mesh import Mesh
from meshproof.prove.leftovers import mend_leftovers
from meshproof.prove.settling import awake, settled
from meshproof.settings import DatadogChoice, ImageChoice, Settings
from meshproof.stack import Installed, StackContext, describe, record, set_up, tear_down
from meshproof.timeline import Timeline
from meshproof.waiting import eventually

__all__ = ["standing"]

_RIGHTS = (
    ("create", "", "namespaces"),
    ("create", "apiextensions.k8s.io", "customresourcedefinitions"),
    ("create", "rbac.authorization.k8s.io", "clusterroles"),
    ("create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("create", "apps", "deployments"),
    ("create", "", "secrets"),
)


@contextmanager
def standing(settings: Settings, timeline: Timeline, farewell: Timeline) -> Iterator[Mesh]:
    """The mesh for the length of the block, in the bed's network namespace.

    Setting up is recorded on `timeline`, taking down on `farewell`. Keys for Datadog are checked before anything else.

    A cluster that this run created is deleted afterwards, unless it is to be kept. Of a borrowed cluster exactly what
    this run installed is removed. A kept one stays as it is.
    """
    keys = keys_for(settings)
    if settings.borrowed:
        with _standing(settings, lifecycle.borrow(settings), keys, timeline, farewell) as mesh:
            yield mesh
        return
    if settings.datadog is DatadogChoice.SAAS and engines.find_running(settings) is None:
        raise UsageError(
            "agents could not reach Datadog from a bed of our own: its network namespace has no uplink",
            remedy="start Docker, give a cluster with --kubeconfig or --context, or use --datadog intake",
        )
    with lifecycle.sole_use_of_cluster(settings):
        bed = lifecycle.obtain(settings, timeline)
        try:
            with namespace.entered(bed.namespace), _standing(settings, bed, keys, timeline, farewell) as mesh:
                yield mesh
        finally:
            lifecycle.release(settings, bed, farewell)


@contextmanager
def _standing(settings: Settings, bed: Bed, keys: Keys, timeline: Timeline, farewell: Timeline) -> Iterator[Mesh]:
    session_id = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    with Cluster(bed.kubeconfig, bed.context, settings.timeouts) as cluster:
        if bed.nodes_started is not None:
            _wait_for_api_server(cluster, timeline)
        installed = describe(cluster)
        if installed is not None:
            _note_standing(timeline, installed)
            yield _well(Mesh(settings, bed, cluster, installed, session_id), timeline)
            return
        if bed.borrowed:
            _check_rights(cluster)
        context = _context(settings, bed, cluster, keys, timeline)
        try:
            installed = set_up(context, timeline)
            if settings.keep_cluster and bed.created:
                lifecycle.lend(settings, bed)
            with own_log_pipelines(settings, keys, stay=settings.keep_cluster):
                yield Mesh(settings, bed, cluster, installed, session_id)
        finally:
            if bed.borrowed and not settings.keep_cluster:
                tear_down(context, farewell)


def _wait_for_api_server(cluster: Cluster, timeline: Timeline) -> None:
    """A kept cluster may have been asleep: its engine ended, with the machine or alone, and has just started its node
    again. An API server that has just begun is not there at first, and then forbids everything to everybody.

    Raises StateNotReached.
    """
    try:
        cluster.server_version()
    except ClusterError:
        with timeline.step("wake", group="stack") as step:
            step.note("the kept cluster's node was started again; waiting for its API server")
            eventually(
                cluster.server_version,
                timeout=cluster.timeouts.component_ready,
                what="the API server of the kept cluster answers",
                every=1.0,
            )


def _well(mesh: Mesh, timeline: Timeline) -> Mesh:
    """The mesh of a cluster that stood before, mended, and awake if its nodes were started since.

    Only then is that moment written down: a run that is killed before leaves the waiting to the next. Raises
    StateNotReached.
    """

    def mended() -> bool:
        mend_leftovers(mesh, timeline)
        return True

    started, installed = mesh.bed.nodes_started, mesh.installed
    if started is None or started < installed.stands_since:
        mended()
        return mesh
    # What a killed run left changed may keep pods from getting ready: it is mended first, as soon as that can be done.
    eventually(
        mended,
        timeout=mesh.timeouts.component_ready,
        what="what a killed run left changed is mended",
        every=1.0,
    )
    with timeline.step("all pods again", group="stack"):
        awake(mesh, started)
        settled(mesh)
    again = installed.woken_now()
    record(mesh.cluster, again.run_id, again)
    return replace(mesh, installed=again)


def _note_standing(timeline: Timeline, installed: Installed) -> None:
    with timeline.step("stack", group="stack") as step:
        step.skip(f"stands since {installed.installed_at}, run {installed.run_id}")


def _context(settings: Settings, bed: Bed, cluster: Cluster, keys: Keys, timeline: Timeline) -> StackContext:
    prepared = bed.images or prepare_tools(settings, load_catalogue(data_root()), timeline)
    pool = bed.pool or _pool_of_borrowed(settings, cluster)
    pilot = prepared.catalogue.image("istio-pilot")
    return StackContext(
        cluster=cluster,
        settings=settings,
        run_id=bed.run_id,
        kubeconfig=bed.kubeconfig,
        istioctl=prepared.tools["istioctl"],
        metallb_manifest=prepared.module_file("metallb", "config/manifests/metallb-native.yaml"),
        operator_manifests=prepared.module_folder("datadog-operator"),
        pool=str(pool),
        istio_hub=pilot.hub,
        istio_tag=pilot.tag,
        from_source=prepared.source is ImageChoice.SOURCE,
        ingress_node=bool(cluster.list("Node", labels="meshproof.dev/ingress=true")),
        kube_context=bed.context,
        keys=keys,
        datadog_site=site_of(os.environ),
    )


def _check_rights(cluster: Cluster) -> None:
    """Refuse a borrowed cluster before anything is applied when the credentials would not get to the end."""
    missing = [f"{verb} {resource}" for verb, group, resource in _RIGHTS if not cluster.can_i(verb, resource, group)]
    if missing:
        raise UsageError(
            f"the credentials of context {cluster.context} do not suffice to install a mesh",
            seen=f"not allowed to {', '.join(missing)}",
            remedy="use credentials of a cluster administrator",
        )


def _pool_of_borrowed(settings: Settings, cluster: Cluster) -> Pool:
    """Nobody but its owner knows which addresses are free in a borrowed cluster's network."""
    if settings.pool is None:
        addresses = [
            address["address"]
            for node in cluster.list("Node")
            for address in node["status"]["addresses"]
            if address["type"] == "InternalIP"
        ]
        raise UsageError(
            "a borrowed cluster needs to be told which addresses MetalLB may give away",
            seen=f"nodes at {', '.join(addresses)}",
            remedy="give free addresses of the nodes' network with --pool FIRST-LAST",
        )
    return Pool.parse(settings.pool)
