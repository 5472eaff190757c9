"""What goes into a node image, and how images are put there."""

from __future__ import annotations

import json
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from meshproof.bed.images.debian import without_changes
from meshproof.bed.images.node_files import (
    check_control_plane,
    containerd_config,
    node_context,
    runtime_wrapper,
    storage_manifest,
)
from meshproof.bed.images.preload import import_script
from meshproof.errors import UsageError

UPSTREAM_CONTAINERD = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10"
  restrict_oom_score_adj = false
"""
UPSTREAM_STORAGE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: local-path-provisioner}
spec:
  template:
    spec:
      containers:
        - name: p
          image: rancher/local-path-provisioner:v0.0.30
          command: [local-path-provisioner, start]
          env: [{name: POD_NAMESPACE, value: x}]
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local-path}
provisioner: rancher.io/local-path
---
apiVersion: v1
kind: ConfigMap
metadata: {name: local-path-config}
data:
  config.json: "{}"
  helperPod.yaml: |
    apiVersion: v1
    kind: Pod
    metadata: {name: helper-pod}
    spec: {containers: [{name: helper-pod, image: busybox}]}
"""


def cri(text: str) -> dict:
    return tomllib.loads(text)["plugins"]["io.containerd.grpc.v1.cri"]


def test_sandbox_image_is_the_one_in_the_node() -> None:
    assert (
        cri(containerd_config(UPSTREAM_CONTAINERD, "x/pause:9", may_lower_oom_scores=True))["sandbox_image"]
        == "x/pause:9"
    )


@pytest.mark.parametrize("may_lower", [True, False])
def test_oom_scores_are_left_where_they_cannot_be_lowered(may_lower: bool) -> None:
    config = containerd_config(UPSTREAM_CONTAINERD, "p:1", may_lower_oom_scores=may_lower)
    assert cri(config)["restrict_oom_score_adj"] is not may_lower


def test_images_are_kept_outside_the_volume_on_var() -> None:
    config = tomllib.loads(containerd_config(UPSTREAM_CONTAINERD, "p:1", may_lower_oom_scores=True))
    assert not config["root"].startswith("/var/")
    assert config["plugins"]["io.containerd.snapshotter.v1.overlayfs"]["root_path"].startswith("/var/")


def storage() -> dict[str, dict]:
    text = storage_manifest(UPSTREAM_STORAGE, provisioner="r/provisioner:1", helper="r/helper:1")
    return {item["kind"]: item for item in yaml.safe_load_all(text)}


def test_storage_class_is_the_default() -> None:
    metadata = storage()["StorageClass"]["metadata"]
    assert metadata["name"] == "standard"
    assert metadata["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"


def test_storage_needs_no_image_from_outside() -> None:
    objects = storage()
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["imagePullPolicy"]) == ("r/provisioner:1", "IfNotPresent")
    assert container["command"][-2:] == ["--helper-image", "r/helper:1"]
    (helper,) = yaml.safe_load(objects["ConfigMap"]["data"]["helperPod.yaml"])["spec"]["containers"]
    assert (helper["image"], helper["imagePullPolicy"]) == ("r/helper:1", "IfNotPresent")


def test_volumes_lie_below_var() -> None:
    (paths,) = json.loads(storage()["ConfigMap"]["data"]["config.json"])["nodePathMap"]
    assert all(path.startswith("/var/") for path in paths["paths"])


def kubeadm(folder: Path, *references: str) -> Path:
    program = folder / "kubeadm"
    program.write_text("#!/bin/sh\n" + "".join(f"echo {reference}\n" for reference in references))
    program.chmod(0o755)
    return program


def test_image_that_kubeadm_wants_and_nobody_names(tmp_path: Path) -> None:
    program = kubeadm(tmp_path, "r/etcd:3.6.9-0", "r/pause:3.10")
    with pytest.raises(UsageError, match=r"kubeadm 1\.36\.3 wants images") as raised:
        check_control_plane(program, "1.36.3", ["r/etcd:3.6.8-0", "r/pause:3.10"])
    assert raised.value.seen == "r/etcd:3.6.9-0"


def test_images_that_kubeadm_wants_are_all_there(tmp_path: Path) -> None:
    check_control_plane(kubeadm(tmp_path, "r/pause:3.10"), "1.36.3", ["r/pause:3.10", "r/more:1"])


def test_kinds_files_and_the_programs_are_in_the_context(tmp_path: Path) -> None:
    for name in ("etc/containerd/config.toml", "usr/local/bin/entrypoint", "kind/bin/hook.sh", "LICENSES/README.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(UPSTREAM_CONTAINERD)
    programs = {"kubelet": tmp_path / "kubelet", "ctr": tmp_path / "ctr"}
    for path in programs.values():
        path.write_text("")
    context = node_context(
        "base", tmp_path, programs, version="1.36.3", pause="p:1", storage="s: 1", may_lower_oom_scores=True
    )
    assert context.files["files/kind/version"] == "v1.36.3"
    assert {"files/usr/bin/kubelet", "files/usr/local/bin/ctr"} <= context.executable
    assert {"files/usr/local/bin/entrypoint", "files/kind/bin/hook.sh"} <= context.executable
    assert not any("LICENSES" in name for name in context.files)
    pod_network = json.loads(str(context.files["files/etc/cni/net.d/10-bed.conflist"]))
    assert pod_network["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.244.0.0/24"}]]
    assert "files/etc/containerd/config.toml" not in context.executable


def test_images_are_imported_under_their_own_references() -> None:
    script = import_script({"docker.io/istio/pilot:1": "own/pilot:k", "r/pulled:1": "r/pulled:1"})
    assert "images tag --force own/pilot:k docker.io/istio/pilot:1" in script
    assert "images rm own/pilot:k" in script
    assert "tag --force r/pulled:1" not in script
    assert "images rm r/pulled:1" not in script


def test_layer_is_without_caches_and_what_was_lent_to_the_root(tmp_path: Path) -> None:
    for name in ("var/cache/apt/x.bin", "var/log/dpkg.log", "etc/resolv.conf", "usr/sbin/policy-rc.d", "usr/bin/jq"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    without_changes(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == ["usr/bin/jq"]


def test_layer_that_removes_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr" / "gone").write_text("")
    monkeypatch.setattr(stat, "S_ISCHR", lambda _: True)  # only root can make a whiteout: a character device 0, 0
    with pytest.raises(UsageError, match="removed /usr/gone"):
        without_changes(tmp_path)


@pytest.mark.parametrize("bundle", ["--bundle", "-b"])
@pytest.mark.parametrize("capabilities", [[0], [0, 1], [1, 0], [1, 0, 2]])
def test_a_container_is_created_without_the_capability_that_cannot_be_granted(
    tmp_path: Path, bundle: str, capabilities: list[int]
) -> None:
    words = [("CAP_SYS_RESOURCE", "CAP_CHOWN", "CAP_NET_RAW")[number] for number in capabilities]
    wrapper = _wrapper(tmp_path)
    config = tmp_path / "bundle" / "config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"process": {"capabilities": {"bounding": words}}}, separators=(",", ":")))
    said = subprocess.run(
        [wrapper, "--root", "/r", "create", bundle, config.parent, "id"], capture_output=True, check=True
    )
    assert said.stdout.decode().split() == ["--root", "/r", "create", bundle, str(config.parent), "id"]
    left = json.loads(config.read_text())["process"]["capabilities"]["bounding"]
    assert left == [word for word in words if word != "CAP_SYS_RESOURCE"]


def test_a_process_is_begun_without_it_too(tmp_path: Path) -> None:
    process = tmp_path / "process.json"
    process.write_text('{"capabilities":{"effective":["CAP_CHOWN","CAP_SYS_RESOURCE"]}}')
    subprocess.run([_wrapper(tmp_path), "exec", "--process", process, "id"], capture_output=True, check=True)
    assert json.loads(process.read_text()) == {"capabilities": {"effective": ["CAP_CHOWN"]}}


def _wrapper(folder: Path) -> Path:
    path = folder / "wrapper"
    path.write_text(runtime_wrapper("echo"))
    path.chmod(0o755)
    return path
