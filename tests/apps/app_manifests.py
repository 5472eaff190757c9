"""The apps' manifests, and what they mean for a process of this machine."""

from __future__ import annotations

from typing import Any

from app_process import APPS

from meshproof.manifests import Manifest, load_manifests

MANIFESTS = load_manifests([APPS.parents[1] / "fixtures" / "manifests" / "apps"])


def objects(kind: str) -> dict[str, Manifest]:
    """All of that kind, by name."""
    return {manifest["metadata"]["name"]: manifest for manifest in MANIFESTS if manifest["kind"] == kind}


def template(name: str) -> dict[str, Any]:
    """The pod template of that Deployment."""
    found: dict[str, Any] = objects("Deployment")[name]["spec"]["template"]
    return found


def container(name: str) -> dict[str, Any]:
    """The container of that Deployment."""
    found: dict[str, Any]
    (found,) = template(name)["spec"]["containers"]
    return found


def environment(name: str) -> dict[str, str]:
    """What the container of that Deployment finds in its environment, on a node whose address is 127.0.0.1."""
    labels = template(name)["metadata"]["labels"]
    fields = {"status.hostIP": "127.0.0.1"} | {f"metadata.labels['{label}']": value for label, value in labels.items()}
    return {
        entry["name"]: fields[entry["valueFrom"]["fieldRef"]["fieldPath"]] if "valueFrom" in entry else entry["value"]
        for entry in container(name)["env"]
    }
