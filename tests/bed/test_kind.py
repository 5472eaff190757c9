"""The kind configuration carries what the suites later look for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import yaml

from meshproof.bed import kind
from meshproof.moments import seconds


def configuration(**changes: object) -> dict:
    fields = {
        "run_id": "r1",
        "run_folder": Path("/state/runs/r1"),
        "workers": 0,
        "host_ports": (80, 443),
        "cgroup_v1": True,
        "own_network": True,
    }
    return kind.configuration(**{**fields, **changes})


def patches(config: dict) -> dict[str, dict]:
    loaded = [yaml.safe_load(patch) for patch in config["kubeadmConfigPatches"]]
    return {patch["kind"]: patch for patch in loaded}


def test_control_plane_is_labelled_and_mapped() -> None:
    config = configuration()
    (control_plane,) = config["nodes"]
    assert control_plane["labels"][kind.INGRESS_LABEL] == "true"
    assert [m["hostPort"] for m in control_plane["extraPortMappings"]] == [80, 443]


def test_control_plane_beside_workers_is_untainted_too() -> None:
    config = configuration(workers=1)
    assert patches(config)["InitConfiguration"]["nodeRegistration"]["taints"] == []
    assert "InitConfiguration" not in patches(configuration())


def test_kube_proxy_is_strict_about_arp() -> None:
    assert patches(configuration())["KubeProxyConfiguration"]["ipvs"]["strictARP"] is True


def test_old_control_groups_are_accepted_only_where_they_are() -> None:
    assert patches(configuration(cgroup_v1=True))["KubeletConfiguration"]["failCgroupV1"] is False
    assert patches(configuration(cgroup_v1=False))["KubeletConfiguration"]["failCgroupV1"] is True


def test_workers_get_pod_networks_of_their_own() -> None:
    folders = tuple(Path(f"/state/cni-{number}") for number in range(3))
    config = configuration(workers=2, cni_folders=folders)
    mounted = [mount["hostPath"] for node in config["nodes"] for mount in node["extraMounts"][1:]]
    assert mounted == [str(folder) for folder in folders]
    assert config["networking"]["disableDefaultCNI"] is True


def test_network_of_a_pulled_node_image_is_left_to_it() -> None:
    assert configuration(workers=2, own_network=False)["networking"]["disableDefaultCNI"] is False


def test_owner_is_read_back_from_what_docker_tells_of_a_node() -> None:
    mount = configuration()["nodes"][0]["extraMounts"][0]
    node = SimpleNamespace(attrs={"Mounts": [{"Destination": "/var"}, {"Destination": mount["containerPath"]}]})
    assert kind.owner_of(node) == "r1"
    assert kind.owner_of(SimpleNamespace(attrs={"Mounts": [{"Destination": "/var"}]})) is None


def test_a_cluster_is_as_young_as_its_youngest_node() -> None:
    moments = ["2026-05-01T12:00:00.123456789Z", "2026-05-01T12:00:02.5Z", "2026-04-30T12:00:00Z"]
    nodes = [SimpleNamespace(attrs={"State": {"StartedAt": moment}}) for moment in moments]
    client = SimpleNamespace(containers=SimpleNamespace(list=lambda **_: nodes))
    assert kind.started_at(client, "shop") == seconds("2026-05-01T12:00:02.5Z")  # type: ignore[arg-type]
