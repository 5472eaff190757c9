"""Pod traffic between the nodes of a cluster whose node image has no network daemon.

Each node gets a plugin configuration for its own pod range, written to a host folder that is mounted at the node's
/etc/cni/net.d, and a route to every other node's range. A node is NotReady until its file is there, so no pod can get
an address from a wrong range.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import docker

from meshproof.bed.kind import nodes_of
from meshproof.errors import MeshproofError

__all__ = ["FILE_NAME", "connect", "folders", "plugin_configuration"]

FILE_NAME = "10-bed.conflist"
_SECONDS = 60.0


def folders(run_folder: Path, workers: int) -> tuple[Path, ...]:
    """One empty folder a node, the control plane's first."""
    made = tuple(run_folder / f"cni-{number}" for number in range(workers + 1))
    for folder in made:
        folder.mkdir(parents=True, exist_ok=True)
    return made


def plugin_configuration(subnet: str) -> dict[str, Any]:
    """The CNI configuration of one node: a veth pair for each pod, addresses from `subnet`, host ports."""
    return {
        "cniVersion": "0.3.1",
        "name": "bed",
        "plugins": [
            {
                "type": "ptp",
                "mtu": 1500,
                "ipMasq": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni-ipam-state",
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "ranges": [[{"subnet": subnet}]],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def connect(client: docker.DockerClient, cluster: str, cni_folders: Sequence[Path]) -> None:
    """Give every node its pod range and its routes.

    Raises MeshproofError when the cluster does not tell the nodes' ranges in time.
    """
    nodes = {str(node.name): node for node in nodes_of(client, cluster)}
    ranges = _pod_ranges(nodes)
    addresses = {}
    for name, node in nodes.items():
        node.reload()
        (network,) = node.attrs["NetworkSettings"]["Networks"].values()
        addresses[name] = network["IPAddress"]
    for name, node in nodes.items():
        for other, subnet in ranges.items():
            if other != name:
                node.exec_run(["ip", "route", "replace", subnet, "via", addresses[other]])
        (folder,) = (f for f in cni_folders if _is_mounted_in(node, f))
        (folder / FILE_NAME).write_text(json.dumps(plugin_configuration(ranges[name])))


def _pod_ranges(nodes: dict[str, Any]) -> dict[str, str]:
    """Each node's spec.podCIDR, asked inside the control-plane node, where kubectl and its configuration are."""
    control_plane = next(node for name, node in nodes.items() if name.endswith("control-plane"))
    command = ["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "get", "nodes", "-o", "json"]
    deadline = time.monotonic() + _SECONDS
    while True:
        code, output = control_plane.exec_run(command)
        items = json.loads(output)["items"] if code == 0 else []
        ranges = {item["metadata"]["name"]: item["spec"].get("podCIDR") for item in items}
        if set(ranges) == set(nodes) and all(ranges.values()):
            return ranges
        if time.monotonic() > deadline:
            raise MeshproofError("the cluster did not give every node a pod range", seen=ranges or output.decode())
        time.sleep(0.5)


def _is_mounted_in(node: Any, folder: Path) -> bool:
    return any(mount.get("Source") == str(folder) for mount in node.attrs.get("Mounts", []))
