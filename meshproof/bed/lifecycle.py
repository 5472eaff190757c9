"""A run's bed from beginning to end: engine, images, cluster; reused, kept, borrowed or deleted."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker

from meshproof.bed import engine as engines
from meshproof.bed import kind, machine, namespace, pod_network
from meshproof.bed.addresses import Network, Pool, check_pool, choose_pool
from meshproof.bed.engine import Engine, OwnEngine
from meshproof.bed.images import PreparedImages, PreparedTools, load_catalogue, prepare_images
from meshproof.bed.locking import host_lock, sole_use
from meshproof.bed.ownership import Records, RunRecord, RunState, new_run_id
from meshproof.errors import UsageError
from meshproof.files import data_root
from meshproof.settings import ImageChoice, Settings
from meshproof.timeline import Timeline

__all__ = ["Bed", "borrow", "lend", "obtain", "reap", "release", "sole_use_of_cluster", "take_down"]

GROUP = "bed"
_DISK_GIB = 4.0
"""A node's volume and the images of a build take about 3 GiB."""


@dataclass(frozen=True)
class Bed:
    """Where the cluster runs.

    `created` says that this run made the cluster; only then may the run delete it. `images` are there when the run has
    to install something; a kept cluster has its images already, and `digests` tell which. `network` and `pool` are None
    on a borrowed cluster whose nodes are in no docker network that we can see.
    """

    run_id: str
    kubeconfig: Path
    context: str | None
    created: bool
    borrowed: bool
    engine: Engine | None
    images: PreparedTools | None
    source: str
    digests: Mapping[str, str]
    network: Network | None
    pool: Pool | None
    nodes_started: float | None = None
    """When the last node of a kept cluster was started, in seconds since 1970; None for a cluster of this run's own, or
    of somebody else."""

    @property
    def namespace(self) -> Path | None:
        """The network namespace from which the cluster can be reached; None: from here."""
        return self.engine.namespace if self.engine else None


@contextmanager
def sole_use_of_cluster(settings: Settings) -> Iterator[None]:
    """Keep other runs off the cluster of that name for the length of the block; two would spoil each other's checks.

    Raises UsageError when another run has it.
    """
    with sole_use(settings.state / "clusters" / settings.cluster_name / "lock", f"the cluster {settings.cluster_name}"):
        yield


def reap(settings: Settings, engine: Engine, timeline: Timeline) -> int:
    """Remove what is left in this engine of dead runs: their clusters, unless kept and running, and their records."""
    records = [record for record in Records(settings.state) if record.engine_host == engine.host]
    with engine.client() as client:
        dead = [r for r in records if not (_runs(client, r) if r.state is RunState.KEPT else r.alive)]
        if not dead:
            return 0
        with timeline.step("reap", group=GROUP) as step:
            removed = 0
            for record in dead:
                removed += kind.remove_nodes(client, record.cluster_name, record.run_id)
                _forget(settings, record)
            step.note(f"of {', '.join(record.run_id for record in dead)}: {removed} node containers removed")
    return len(dead)


def _runs(client: docker.DockerClient, record: RunRecord) -> bool:
    """Whether a kept cluster still runs; its engine may have been killed, and then its nodes are stopped for good."""
    nodes = kind.nodes_of(client, record.cluster_name)
    return bool(nodes) and all(node.status == "running" for node in nodes)


def obtain(settings: Settings, timeline: Timeline) -> Bed:
    """The bed for this run: a cluster that was kept under that name, or a new one.

    Raises UsageError when the name belongs to somebody else.
    """
    machine.demand_disk(settings.cache, _DISK_GIB)
    # One lock from here to the claim: a run that ends stops the engine when nobody has claimed anything in it.
    with host_lock(settings.state / "beds.lock"):
        with timeline.step("engine", group=GROUP) as step:
            engine = engines.obtain(settings, step)
        reap(settings, engine, timeline)
        with engine.client() as client:
            kept = _standing(settings, engine, client)
        record = kept or _claim(settings, engine)
    if kept is not None:
        return _taken_over(settings, engine, kept, timeline)
    try:
        with engine.client() as client:
            images = prepare_images(settings, load_catalogue(data_root()), client, timeline)
            cluster = _cluster(settings, engine, images.tools["kind"])
            _create(settings, engine, client, cluster, images, record, timeline)
            record = _completed(settings, client, record, images)
            network = kind.network_of(client, settings.cluster_name)
    except BaseException:
        _undo(settings, engine, record)
        raise
    return Bed(
        run_id=record.run_id,
        kubeconfig=cluster.kubeconfig,
        context=None,
        created=True,
        borrowed=False,
        engine=engine,
        images=images,
        source=images.source.value,
        digests=images.digests,
        network=network,
        pool=Pool.parse(str(record.pool)),
    )


def borrow(settings: Settings) -> Bed:
    """A bed around a cluster that was there already; nothing of it is ever deleted or reconfigured."""
    first, _, _ = os.environ.get("KUBECONFIG", "").partition(os.pathsep)
    kubeconfig = settings.kubeconfig or Path(first or Path.home() / ".kube" / "config")
    if not kubeconfig.is_file():
        raise UsageError(
            "there is no such kubeconfig", seen=kubeconfig, remedy="give the right file with --kubeconfig FILE"
        )
    return Bed(
        run_id=new_run_id(),
        kubeconfig=kubeconfig,
        context=settings.context,
        created=False,
        borrowed=True,
        engine=None,
        images=None,
        source="as found",
        digests={},
        network=None,
        pool=Pool.parse(settings.pool) if settings.pool else None,
    )


def lend(settings: Settings, bed: Bed) -> None:
    """Leave the cluster standing after this run; a later run of the same name takes it over."""
    records = Records(settings.state)
    for record in records:
        if record.run_id == bed.run_id:
            records.write(record.model_copy(update={"state": RunState.KEPT}))


def release(settings: Settings, bed: Bed, timeline: Timeline) -> None:
    """Delete the cluster that this run created, and stop the engine when nothing else uses it."""
    if bed.engine is None:
        return
    mine = [record for record in Records(settings.state) if record.run_id == bed.run_id]
    if bed.created and bed.images and mine and mine[0].state is not RunState.KEPT:
        with timeline.step("delete cluster", group=GROUP):
            cluster = _cluster(settings, bed.engine, bed.images.tools["kind"])
            cluster.delete(timeout=settings.timeouts.cluster_delete)
        _forget(settings, mine[0])
    stop_if_idle(settings, bed.engine, timeline)


def take_down(settings: Settings, timeline: Timeline) -> list[str]:
    """Delete the kept cluster of the settings' name and whatever dead runs left, then stop our engine if it is idle.

    Returns what was removed, in words.
    """
    removed: list[str] = []
    own = OwnEngine.of(settings)
    _start_for_its_records(settings, own, timeline)
    found = [engine for engine in (engines.find_running(settings), own if own.answers() else None) if engine]
    for engine in found:
        with host_lock(settings.state / "beds.lock"):
            record = Records(settings.state).of_cluster(settings.cluster_name, engine.host)
            if record:
                with timeline.step("delete cluster", group=GROUP), engine.client() as client:
                    kind.remove_nodes(client, record.cluster_name, record.run_id)
                _forget(settings, record)
                removed.append(f"cluster {record.cluster_name}")
            if dead := reap(settings, engine, timeline):
                removed.append(f"{dead} killed runs")
        stop_if_idle(settings, engine, timeline)
    if not own.answers() and (cleared := own.clear()):
        removed.append(f"{cleared} leftovers of a killed engine")
    return removed


def _start_for_its_records(settings: Settings, own: OwnEngine, timeline: Timeline) -> None:
    """An engine that was killed with clusters in it is started once more: only an engine takes their nodes, gigabytes
    of them, out of its store."""
    with host_lock(settings.state / "beds.lock"):
        left = any(record.engine_host == own.host for record in Records(settings.state))
        if left and not own.answers():
            with timeline.step("engine", group=GROUP) as step:
                own.start(timeout=settings.timeouts.engine_start, step=step)


def stop_if_idle(settings: Settings, engine: Engine, timeline: Timeline) -> None:
    """Stop our own engine when no run and no kept cluster needs it."""
    if not isinstance(engine, OwnEngine):
        return
    with host_lock(settings.state / "beds.lock"):
        if any(record.engine_host == engine.host for record in Records(settings.state)):
            return
        with timeline.step("stop engine", group=GROUP):
            engine.stop(timeout=settings.timeouts.engine_stop)


def _standing(settings: Settings, engine: Engine, client: docker.DockerClient) -> RunRecord | None:
    """The record of the kept cluster of that name; None when there is no cluster."""
    name = settings.cluster_name
    record = Records(settings.state).of_cluster(name, engine.host)
    nodes = kind.nodes_of(client, name)
    if record is None and not nodes:
        return None
    if record is None:
        raise UsageError(
            f"a kind cluster named {name} exists that meshproof did not create",
            seen=", ".join(str(node.name) for node in nodes),
            remedy="choose another name with --cluster-name, or test that very cluster with --kubeconfig FILE",
        )
    different = {field: value for field, value in _made_with(settings).items() if getattr(record, field) != value}
    if different:
        raise UsageError(
            f"the kept cluster {name} was made with other settings",
            seen=", ".join(
                f"{field} {getattr(record, field)}, asked for {value}" for field, value in different.items()
            ),
            remedy="run `meshproof down` first, or choose another name with --cluster-name",
        )
    return record


def _claim(settings: Settings, engine: Engine) -> RunRecord:
    return Records(settings.state).claim(
        run_id=new_run_id(),
        cluster_name=settings.cluster_name,
        engine_host=engine.host,
        **_made_with(settings),
    )


def _made_with(settings: Settings) -> dict[str, object]:
    """What a cluster cannot change afterwards."""
    return {
        "workers": settings.workers,
        "metallb": settings.metallb,
        "kubernetes": settings.kubernetes,
        "datadog": settings.datadog.value,
        "tracing": settings.tracing.value,
    }


def _taken_over(settings: Settings, engine: Engine, record: RunRecord, timeline: Timeline) -> Bed:
    """A kept cluster: nothing is built, pulled or changed."""
    with timeline.step("cluster", group=GROUP) as step, engine.client() as client:
        network = kind.network_of(client, settings.cluster_name)
        nodes_started = kind.started_at(client, settings.cluster_name)
        step.skip(f"kept since {record.started_at}, run {record.run_id}")
    return Bed(
        run_id=record.run_id,
        kubeconfig=settings.state / "clusters" / settings.cluster_name / "kubeconfig",
        context=None,
        created=False,
        borrowed=False,
        engine=engine,
        images=None,
        source=record.source,
        digests=record.digests,
        network=network,
        pool=Pool.parse(str(record.pool)),
        nodes_started=nodes_started,
    )


def _create(
    settings: Settings,
    engine: Engine,
    client: docker.DockerClient,
    cluster: kind.KindCluster,
    images: PreparedImages,
    record: RunRecord,
    timeline: Timeline,
) -> None:
    own_network = images.source is ImageChoice.SOURCE
    folder = settings.state / "runs" / record.run_id
    folder.mkdir(parents=True, exist_ok=True)
    cni_folders = pod_network.folders(folder, settings.workers) if own_network and settings.workers else ()
    # Under a lock: another run could see the same ports free, and kind would fail for one of the two.
    with host_lock(settings.state / "ports.lock"), timeline.step("cluster", group=GROUP) as step:
        with namespace.entered(engine.namespace):
            host_ports = [port for port in kind.NODE_PORTS if _is_free(port)]
        config = kind.configuration(
            run_id=record.run_id,
            run_folder=folder,
            workers=settings.workers,
            host_ports=host_ports,
            cgroup_v1=client.info().get("CgroupVersion") == "1",
            own_network=own_network,
            cni_folders=cni_folders,
        )
        step.note(images.node_image)
        cluster.create(images.node_image, config, timeout=settings.timeouts.cluster_create)
        if cni_folders:
            step.note("connecting the nodes' pod ranges")
            pod_network.connect(client, settings.cluster_name, cni_folders)
            step.note(images.node_image)


def _completed(settings: Settings, client: docker.DockerClient, record: RunRecord, images: PreparedImages) -> RunRecord:
    """The record with what became known: the images, and the addresses that this cluster may use."""
    records = Records(settings.state)
    with host_lock(settings.state / "pools.lock"):
        network = kind.network_of(client, settings.cluster_name)
        leased = [Pool.parse(other.pool) for other in records if other.pool and other.run_id != record.run_id]
        pool = check_pool(settings.pool, network, leased) if settings.pool else choose_pool(network, leased)
        known = {"pool": str(pool), "source": images.source.value, "node_image": images.node_image}
        record = record.model_copy(update={**known, "digests": dict(images.digests)})
        records.write(record)
    return record


def _cluster(settings: Settings, engine: Engine, program: Path) -> kind.KindCluster:
    return kind.KindCluster(
        name=settings.cluster_name,
        program=settings.kind_bin or program,
        folder=settings.state / "clusters" / settings.cluster_name,
        environment=engine.environment,
    )


def _undo(settings: Settings, engine: Engine, record: RunRecord) -> None:
    with engine.client() as client:
        kind.remove_nodes(client, record.cluster_name, record.run_id)
    _forget(settings, record)
    stop_if_idle(settings, engine, Timeline())


def _forget(settings: Settings, record: RunRecord) -> None:
    shutil.rmtree(settings.state / "runs" / record.run_id, ignore_errors=True)
    Records(settings.state).drop(record.run_id)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - kind maps the port on all addresses
        except OSError:
            return False
        return True
