"""What a node image is made of: kind's base files, Kubernetes and containerd on Debian."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from meshproof.bed.images.container import Context
from meshproof.bed.kind import CNI_FOLDER
from meshproof.bed.pod_network import FILE_NAME, plugin_configuration
from meshproof.errors import UsageError
from meshproof.manifests import parse_manifests
from meshproof.programs import run

__all__ = ["check_control_plane", "containerd_config", "node_context", "runtime_wrapper", "storage_manifest"]

CONTAINERD_ROOT = "/kind/containerd"
SNAPSHOTS = "/var/lib/containerd/snapshots"
STORAGE_FOLDER = "/var/local-path-provisioner"
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
FIRST_POD_RANGE = "10.244.0.0/24"
"""The pods of a cluster's only node: the first /24 of kind's pod network."""
_ENTRYPOINT = ["/usr/local/bin/entrypoint", "/sbin/init"]
# What a Debian base brings up that has no place in a node; kind's own base image does without it too.
_QUIET = (
    "/lib/systemd/system/multi-user.target.wants/* /lib/systemd/system/local-fs.target.wants/* "
    "/lib/systemd/system/sockets.target.wants/*udev* /lib/systemd/system/sockets.target.wants/*initctl* "
    "/lib/systemd/system/basic.target.wants/* /lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service "
    "/etc/systemd/system/*.wants/*"
)


def check_control_plane(kubeadm: Path, version: str, references: Sequence[str]) -> None:
    """Raise UsageError when kubeadm wants an image that the catalogue does not name."""
    asked = run([kubeadm, "config", "images", "list", "--kubernetes-version", f"v{version}"], timeout=30)
    wanted = asked.stdout.split()
    lacking = [reference for reference in wanted if reference not in references]
    if lacking:
        raise UsageError(
            f"kubeadm {version} wants images that images/catalogue.toml does not name",
            seen=", ".join(lacking),
            remedy="correct the references of the control-plane images there",
        )


def node_context(
    base: str,
    kind_files: Path,
    programs: Mapping[str, Path],
    *,
    version: str,
    pause: str,
    storage: str,
    may_lower_oom_scores: bool,
) -> Context:
    """The context of a node image without images in it, from the Debian image `base`.

    `kind_files` is images/base/files of kind's module, `programs` where each program is, `pause` the reference of the
    sandbox image, `storage` the manifest that kind applies for the default storage class. `may_lower_oom_scores` says
    whether CAP_SYS_RESOURCE is to be had on this machine.
    """
    context = Context("")
    for child in sorted(kind_files.iterdir()):
        if child.name != "LICENSES":
            context.add(f"files/{child.name}", child)
    context.executable |= {
        name for name in context.files if name.startswith(("files/usr/local/bin/", "files/kind/bin/"))
    }
    for name, path in programs.items():
        folder = "usr/bin" if name in ("kubeadm", "kubectl", "kubelet") else "usr/local/bin"
        context.add(f"files/{folder}/{name}", path, executable=True)
    containerd = (kind_files / "etc/containerd/config.toml").read_text()
    context.add(
        "files/etc/containerd/config.toml",
        containerd_config(containerd, pause, may_lower_oom_scores=may_lower_oom_scores),
    )
    context.add("files/kind/version", f"v{version}")
    context.add("files/kind/manifests/default-cni.yaml", CNI_MANIFEST)
    context.add("files/kind/manifests/default-storage.yaml", storage)
    context.add(f"files{CNI_FOLDER}/{FILE_NAME}", json.dumps(plugin_configuration(FIRST_POD_RANGE), indent=1))
    if not may_lower_oom_scores:
        context.add("files/usr/local/sbin/runc", runtime_wrapper("/usr/sbin/runc"), executable=True)
    add_hook = '.hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)'
    context.dockerfile = "\n".join(
        [
            f"FROM {base}",
            "COPY files/ /",
            "RUN mkdir -p /opt/cni/bin /etc/kubernetes/manifests"
            " && ln -s /usr/lib/cni/* /opt/cni/bin/"
            " && { [ -e /usr/local/sbin/runc ] || ln -s /usr/sbin/runc /usr/local/sbin/runc; }"
            " && ln -sf /usr/lib/systemd/systemd /sbin/init"
            f" && ctr oci spec | jq {shlex.quote(add_hook)} > /etc/containerd/cri-base.json"
            f" && rm -f {_QUIET}"
            " && systemctl enable containerd.service kubelet.service undo-mount-hacks.service"
            " && systemctl mask systemd-binfmt.service getty.target console-getty.service"
            " && echo ReadKMsg=no >> /etc/systemd/journald.conf"
            " && rm -f /etc/machine-id",
            "ENV container=docker",
            "STOPSIGNAL SIGRTMIN+3",
            f"ENTRYPOINT {json.dumps(_ENTRYPOINT)}",
            "",
        ]
    )
    return context


def containerd_config(text: str, pause: str, *, may_lower_oom_scores: bool) -> str:
    """kind's containerd configuration with our sandbox image.

    kind mounts a volume on /var, into which Docker copies what the image has there. Images are kept elsewhere, so that
    a gigabyte is not copied whenever a node is created; only snapshots, which cannot lie on an overlay, stay there.

    Where no process `may_lower_oom_scores`, containerd has to be told to leave them.
    """
    lines = [f'root = "{CONTAINERD_ROOT}"']
    for line in text.splitlines():
        name = line.split("=")[0].strip()
        if name == "sandbox_image":
            line = f'  sandbox_image = "{pause}"'
        elif name == "restrict_oom_score_adj":
            line = f"  restrict_oom_score_adj = {str(not may_lower_oom_scores).lower()}"
        lines.append(line)
    lines += ['[plugins."io.containerd.snapshotter.v1.overlayfs"]', f'  root_path = "{SNAPSHOTS}"']
    return "\n".join([*lines, ""])


def runtime_wrapper(runc: str) -> str:
    """An OCI runtime that is `runc`, less CAP_SYS_RESOURCE, for nodes of machines where it cannot be granted.

    As a shell script, which a node can run: containerd writes specifications without blanks.
    """
    return f"""\
#!/bin/sh
previous=
for word in "$@"; do
    file=
    case $previous in
        --bundle | -b) file=$word/config.json ;;
        --process | -p) file=$word ;;
    esac
    if [ -f "$file" ]; then
        sed -i -e 's/,"CAP_SYS_RESOURCE"//g' -e 's/"CAP_SYS_RESOURCE",*//g' "$file"
    fi
    previous=$word
done
exec {runc} "$@"
"""


def storage_manifest(upstream: str, *, provisioner: str, helper: str) -> str:
    """local-path-provisioner's own manifest, turned into the cluster's default storage.

    As in kind's own node images: volumes below /var, the class `standard` as the default, images that are in the node.
    """
    objects = parse_manifests(upstream, origin="local-path-provisioner's manifest")
    for item in objects:
        if item["kind"] == "Deployment":
            pod = item["spec"]["template"]["spec"]
            pod["tolerations"] = [{"key": CONTROL_PLANE, "effect": "NoSchedule"}]
            pod["nodeSelector"] = {CONTROL_PLANE: ""}
            container = pod["containers"][0]
            # Straight to the API server of its own node: it starts before kube-proxy has set up Services, and ends when
            # it cannot reach one.
            container["env"] += [
                {"name": "KUBERNETES_SERVICE_HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
                {"name": "KUBERNETES_SERVICE_PORT", "value": "6443"},
            ]
            container["image"] = provisioner
            container["imagePullPolicy"] = "IfNotPresent"
            container["command"] += ["--helper-image", helper]
        elif item["kind"] == "StorageClass":
            item["metadata"]["name"] = "standard"
            item["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
        elif item["kind"] == "ConfigMap":
            paths = [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [STORAGE_FOLDER]}]
            item["data"]["config.json"] = json.dumps({"nodePathMap": paths})
            pod = yaml.safe_load(item["data"]["helperPod.yaml"])
            pod["spec"]["containers"][0] |= {"image": helper, "imagePullPolicy": "IfNotPresent"}
            item["data"]["helperPod.yaml"] = yaml.safe_dump(pod)
    return yaml.safe_dump_all(objects, sort_keys=False)


CNI_MANIFEST = """\
# kind applies this file. Pod networking needs no daemon here: /etc/cni/net.d in each node has it all.
apiVersion: v1
kind: ConfigMap
metadata: {name: pod-network, namespace: kube-system}
data: {plugin: ptp}
"""
