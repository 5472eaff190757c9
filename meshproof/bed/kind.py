"""kind clusters: their configuration, creation, facts and end."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.models.containers import Container

from meshproof.bed.addresses import Network
from meshproof.errors import MeshproofError
from meshproof.labels import RUN_LABEL
from meshproof.moments import seconds
from meshproof.parent import with_parent
from meshproof.programs import ProgramFailed, run

__all__ = [
    "INGRESS_LABEL",
    "RUN_FOLDER",
    "KindCluster",
    "configuration",
    "network_of",
    "nodes_of",
    "owner_of",
    "remove_nodes",
    "started_at",
]

INGRESS_LABEL = "meshproof.dev/ingress"
RUN_FOLDER = "/run/meshproof"
CNI_FOLDER = "/etc/cni/net.d"
NODE_PORTS = {80: 30080, 443: 30443}


def configuration(
    *,
    run_id: str,
    run_folder: Path,
    workers: int,
    host_ports: Sequence[int],
    cgroup_v1: bool,
    own_network: bool,
    cni_folders: Sequence[Path] = (),
) -> dict[str, Any]:
    """The kind configuration of a run's cluster.

    The run's id goes in as a node label and as a mount, so that Docker itself can tell whose a node container is, from
    the moment it exists. `host_ports` are those of 80 and 443 to map on the control plane. `own_network` leaves pod
    networking to the node image (each node's plugin configuration in `cni_folders`, when there are several nodes).
    """
    mount = {"hostPath": str(run_folder), "containerPath": f"{RUN_FOLDER}/{run_id}", "readOnly": True}

    def node(role: str, number: int) -> dict[str, Any]:
        mounts = [mount]
        if cni_folders:
            mounts.append({"hostPath": str(cni_folders[number]), "containerPath": CNI_FOLDER})
        return {"role": role, "labels": {RUN_LABEL: run_id}, "extraMounts": mounts}

    control_plane = node("control-plane", 0)
    control_plane["labels"][INGRESS_LABEL] = "true"
    control_plane["extraPortMappings"] = [
        {"containerPort": NODE_PORTS[port], "hostPort": port, "protocol": "TCP"} for port in host_ports
    ]
    patches: list[dict[str, Any]] = [
        {"kind": "KubeProxyConfiguration", "ipvs": {"strictARP": True}},
        {"kind": "KubeletConfiguration", "failCgroupV1": not cgroup_v1},
    ]
    if workers:
        # The gateway and everything else may run on the control plane. A lone node kind frees of its taint itself.
        patches.append({"kind": "InitConfiguration", "nodeRegistration": {"taints": []}})
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {"disableDefaultCNI": own_network and workers > 0},
        "kubeadmConfigPatches": [yaml.safe_dump(patch) for patch in patches],
        "nodes": [control_plane, *(node("worker", number) for number in range(1, workers + 1))],
    }


@dataclass(frozen=True)
class KindCluster:
    """One cluster of one name, made by the `kind` program in the engine that `environment` names."""

    name: str
    program: Path
    folder: Path
    environment: Mapping[str, str]

    @property
    def kubeconfig(self) -> Path:
        """The cluster's own kubeconfig; the user's is never touched."""
        return self.folder / "kubeconfig"

    def create(self, image: str, config: Mapping[str, Any], *, timeout: float) -> None:
        """Create the cluster; when that fails nothing of it is left.

        Raises MeshproofError with kind's own last words.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.kubeconfig.unlink(missing_ok=True)
        file = self.folder / "kind.yaml"
        file.write_text(yaml.safe_dump(dict(config), sort_keys=False))
        try:
            self._adapter("create", "--image", image, "--config", str(file), timeout=timeout)
        except BaseException as error:
            self._adapter("delete", timeout=timeout, check=False)
            if isinstance(error, ProgramFailed):
                raise MeshproofError(
                    f"kind could not create the cluster {self.name}",
                    seen=error.seen,
                    remedy="run `meshproof doctor`; the configuration is in " + str(file),
                ) from error
            raise

    def delete(self, *, timeout: float) -> None:
        """Delete the cluster."""
        self._adapter("delete", timeout=timeout)
        self.kubeconfig.unlink(missing_ok=True)

    def _adapter(self, action: str, *words: str, timeout: float, check: bool = True) -> None:
        run(
            [
                *(sys.executable, "-m", "meshproof.bed.kind_program", action),
                *("--name", self.name, "--kind", self.program, "--kubeconfig", self.kubeconfig),
                *words,
            ],
            timeout=timeout,
            env={**self.environment, **with_parent()},
            cwd=self.folder,
            check=check,
        )


def nodes_of(client: docker.DockerClient, name: str) -> list[Container]:
    """The node containers of a kind cluster, stopped ones too."""
    return client.containers.list(all=True, filters={"label": f"io.x-k8s.kind.cluster={name}"})


def owner_of(node: Container) -> str | None:
    """The id of the run that made the node; None when meshproof did not."""
    for mount in node.attrs.get("Mounts", []):
        folder, _, run_id = mount.get("Destination", "").rpartition("/")
        if folder == RUN_FOLDER:
            return str(run_id)
    return None


def started_at(client: docker.DockerClient, name: str) -> float:
    """When the last of the cluster's nodes was started, in seconds since 1970."""
    return max(seconds(str(node.attrs["State"]["StartedAt"])) for node in nodes_of(client, name))


def remove_nodes(client: docker.DockerClient, name: str, run_id: str) -> int:
    """Remove the node containers that this run made, with their volumes. Returns how many."""
    nodes = [node for node in nodes_of(client, name) if owner_of(node) == run_id]
    for node in nodes:
        node.remove(force=True, v=True)
    return len(nodes)


def network_of(client: docker.DockerClient, name: str) -> Network:
    """The docker network that the cluster's nodes are in, with every address in it that is taken."""
    nodes = nodes_of(client, name)
    (network_name, *_) = nodes[0].attrs["NetworkSettings"]["Networks"]
    network = client.networks.get(network_name)
    configs = network.attrs.get("IPAM", {}).get("Config") or []
    taken = {config["Gateway"].partition("/")[0] for config in configs if config.get("Gateway")}
    for config in configs:
        taken.update((config.get("AuxiliaryAddresses") or {}).values())
    containers = network.attrs.get("Containers", {}).values()
    for container in containers:
        for family in ("IPv4Address", "IPv6Address"):
            if address := container.get(family, "").partition("/")[0]:
                taken.add(address)
    hardware = {container["Name"]: container["MacAddress"] for container in containers}
    subnets = tuple(config["Subnet"] for config in configs)
    return Network(network_name, subnets, frozenset(taken), hardware, _host_ports(nodes))


def _host_ports(nodes: Sequence[Container]) -> dict[int, int]:
    found = {}
    for host_port, node_port in NODE_PORTS.items():
        for node in nodes:
            bindings = node.attrs["NetworkSettings"]["Ports"].get(f"{node_port}/tcp") or []
            if any(binding["HostPort"] == str(host_port) for binding in bindings):
                found[host_port] = node_port
    return found
